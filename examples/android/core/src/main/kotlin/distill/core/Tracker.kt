package distill.core

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/*
 * Follow faces through camera images, as distill/inference/tracking.py: detect once, crop each frame by the landmarks
 * of the last one, and detect again when a face is lost or after `redetect` frames.
 */

private const val SAME = 0.3
private const val DRIFTED = 0.6
private const val TWICE = 0.6
private const val MISSES = 2

// Share of the way that a crop goes towards the face in a frame, and the distance from which it goes all of it.
private const val SHARE = 0.25
private const val FAR = 0.15

/** A face that is followed: `reference` is the face in the detector's box, `crop` the box of the next crop. */
private class Track(var reference: Face, val smoother: OneEuro = OneEuro()) {
    val id = reference.id
    var face = reference
    var crop = reference.box
    var misses = 0
}

/** The id of a face that is not followed any more, for the case that it comes back where it was. */
private class Lost(val id: Int, val box: Box) {
    var frames = 0
}

/**
 * Faces of consecutive frames, each with an id that it keeps while it is followed.
 *
 * @param detect finds the faces of a frame
 * @param locate places the landmarks of the face in the box of a detection
 */
class Tracker<T>(
    private val detect: (T) -> List<Detection>,
    private val locate: (T, Detection) -> Face,
    private val redetect: Int = 25
) {
    private var tracks = ArrayList<Track>()
    private var lost = ArrayList<Lost>()
    private var wait = 0
    private var lastId = 0

    /** Faces of the next frame in the order of their ids; those whose landmarks are not placed come last. */
    fun next(frame: T, width: Int, height: Int, seconds: Double): List<Face> {
        wait--
        lost = ArrayList(lost.filter { it.frames < redetect })
        lost.forEach { it.frames++ }
        val (followed, gone) = tracks.partition { follow(it, frame, width, height) }
        gone.forEach { lost.add(Lost(it.id, it.face.box)) }
        tracks = distinct(followed)
        var unplaced: List<Face> = emptyList()
        if (gone.isNotEmpty() || tracks.isEmpty() || wait <= 0) {
            unplaced = search(frame)
            wait = if (unplaced.isEmpty()) redetect else 0
        }
        tracks.sortBy { it.id }
        return tracks.map { smoothed(it, seconds) } + unplaced
    }

    /** Place the landmarks of a face in the crop that the last frame gave; whether it is there. */
    private fun follow(track: Track, frame: T, width: Int, height: Int): Boolean {
        val found = locate(frame, Detection(track.crop, track.reference.score, roll = track.face.cropRoll))
        val box = movedBox(track.reference.box, track.reference.landmarks, found.landmarks)
        if (!found.placed || !isPlausible(track.face.box, box, width, height)) return false
        track.face = found.with(id = track.id, box = box)
        track.crop = steadied(track.crop, box)
        return true
    }

    /** Detect, begin to follow new faces, and return those on which the landmarks are not placed. */
    private fun search(frame: T): List<Face> {
        val found = detect(frame)
        val pairs = matched(found.map { it.box }, tracks.map { it.face.box })
        tracks.forEachIndexed { index, track -> track.misses = if (pairs.containsValue(index)) 0 else track.misses + 1 }
        val unplaced = ArrayList<Face>()
        val drifted = HashSet<Track>()
        val begun = ArrayList<Track>()
        found.forEachIndexed { index, detection ->
            val old = pairs[index]?.let { tracks[it] }
            if (old != null && Overlap(detection.box, old.face.box).union >= DRIFTED) {
                old.reference = old.reference.with(score = detection.score)
                return@forEachIndexed
            }
            val face = begin(frame, detection, old)
            if (face.placed) begun.add(Track(face)) else unplaced.add(face)
            if (old != null) drifted.add(old)
        }
        val dropped = tracks.filter { it.misses >= MISSES }
        dropped.forEach { lost.add(Lost(it.id, it.face.box)) }
        tracks = ArrayList(tracks.filter { it !in dropped && it !in drifted } + begun)
        unplaced.forEach { lost.add(Lost(it.id, it.box)) }
        return unplaced
    }

    /** The face of a detection with the id of the face that was followed or lost there, else a new one. */
    private fun begin(frame: T, detection: Detection, old: Track?): Face {
        val face = locate(frame, detection)
        if (old != null) return face.with(id = old.id)
        val place = matched(listOf(face.box), lost.map { it.box })[0]
        if (place != null) return face.with(id = lost.removeAt(place).id)
        return face.with(id = ++lastId)
    }

    /** The face with filtered landmarks; lengths are in sides of the face's box. */
    private fun smoothed(track: Track, seconds: Double): Face {
        val side = track.reference.box.longer
        val values = DoubleArray(2 * track.face.landmarks.size) {
            val point = track.face.landmarks[it / 2]
            (if (it % 2 == 0) point.x else point.y) / side
        }
        val filtered = track.smoother.filter(values, seconds)
        val landmarks = List(track.face.landmarks.size) { Point(filtered[2 * it] * side, filtered[2 * it + 1] * side) }
        return track.face.with(landmarks = landmarks)
    }
}

/** A box moved and scaled as landmarks moved, by the least-squares translation and their spread. */
fun movedBox(box: Box, before: List<Point>, after: List<Point>): Box {
    val middle = mean(before)
    val target = mean(after)
    val zoom = sqrt(spread(after, target) / max(spread(before, middle), java.lang.Double.MIN_NORMAL))
    val x = (box.centre.x - middle.x) * zoom + target.x
    val y = (box.centre.y - middle.y) * zoom + target.y
    return Box(x - box.width * zoom / 2, y - box.height * zoom / 2, x + box.width * zoom / 2, y + box.height * zoom / 2)
}

private fun spread(points: List<Point>, middle: Point): Double = points.fold(0.0) { sum, point ->
    sum + (point.x - middle.x) * (point.x - middle.x) + (point.y - middle.y) * (point.y - middle.y)
}

/** The box of the next crop: `last` on its way to `wanted`, and `wanted` itself where the face is far off. */
fun steadied(last: Box, wanted: Box): Box {
    val way = doubleArrayOf(wanted.x0 - last.x0, wanted.y0 - last.y0, wanted.x1 - last.x1, wanted.y1 - last.y1)
    val distance = way.fold(0.0) { largest, step -> max(largest, abs(step)) } / wanted.longer
    val share = min(1.0, max(SHARE, distance / FAR))
    return Box(last.x0 + share * way[0], last.y0 + share * way[1], last.x1 + share * way[2], last.y1 + share * way[3])
}

/** Whether a face may have moved from one box to another between two frames and still be in the photo. */
fun isPlausible(last: Box, box: Box, width: Int, height: Int): Boolean {
    val zoom = box.width / last.width
    val x = box.centre.x
    val y = box.centre.y
    return zoom > 0.5 && zoom < 2 && x >= 0 && x < width && y >= 0 && y < height
}

/** Pairs (index of a box -> index of another) that overlap, each used once, the largest overlap first. */
private fun matched(boxes: List<Box>, others: List<Box>): Map<Int, Int> {
    val pairs = ArrayList<Triple<Int, Int, Double>>()
    for (left in boxes.indices) for (right in others.indices) {
        pairs.add(Triple(left, right, Overlap(boxes[left], others[right]).union))
    }
    val found = HashMap<Int, Int>()
    for ((left, right, union) in pairs.sortedByDescending { it.third }) {
        if (union > SAME && left !in found && !found.containsValue(right)) found[left] = right
    }
    return found
}

/** The tracks without later ones that have come to lie on the face of an earlier one. */
private fun distinct(tracks: List<Track>): ArrayList<Track> {
    val kept = ArrayList<Track>()
    for (track in tracks.sortedBy { it.id }) {
        if (kept.none { Overlap(track.face.box, it.face.box).union > TWICE }) kept.add(track)
    }
    return kept
}
