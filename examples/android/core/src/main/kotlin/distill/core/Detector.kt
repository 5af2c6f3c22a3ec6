package distill.core

import kotlin.math.max
import kotlin.math.min

/** A network: an image, whose sides the detector varies -> its outputs. */
typealias Net = (Image) -> List<Output>

private const val IOU = 0.4

// Wide or large photos are searched in tiles as well. A photo without a face, or with one larger than DOUBTFUL pixels of
// the input, is searched once more in a small view, for faces larger than FILLS.
private const val WIDE = 2
private const val LARGE = 4
private const val SHARED = 1.0 / 3
private const val INSIDE = 0.6
private const val SMALL_VIEW = 160
private const val DOUBTFUL = 160
private const val FILLS = 272
private const val ENLARGE = 2

// The refinement shows the network each face once more, at one size.
private const val REFINE_SIZE = 128
private const val REFINE_ZOOM = 1.5
private const val SMALLEST = 24.0
private const val REFINE_SCORE = 0.1
private const val REFINE_IOU = 0.3

/** A part of a photo, and the longer side of the input it is shown at. */
class View(val window: Window, val size: Int)

/** What the network is shown of a photo. */
fun viewsOf(width: Int, height: Int, size: Int): List<View> {
    val whole = Window(0, 0, width, height)
    val longer = max(width, height)
    val shorter = min(width, height)
    val tiled = longer > WIDE * shorter || longer > LARGE * size
    val tiles = if (tiled) tileWindows(width, height, max(1, min(shorter, longer / 2)), SHARED) else emptyList()
    return (listOf(whole) + tiles).map { View(it, inputSize(it, size)) }
}

/** The longer side in photo pixels above which faces of the small view are added; null where it is not needed. */
private fun secondSearch(view: View, faces: List<Detection>): Double? {
    val pixels = max(view.window.right, view.window.bottom).toDouble() / view.size
    val largest = faces.fold(0.0) { side, face -> max(side, face.box.longer) }
    if (view.size <= SMALL_VIEW || (faces.isNotEmpty() && largest <= DOUBTFUL * pixels)) return null
    return if (faces.isEmpty()) 0.0 else FILLS * pixels
}

private fun inputSize(window: Window, size: Int): Int {
    val enlarged = ENLARGE * max(window.right - window.left, window.bottom - window.top)
    return min(size, (enlarged + MULTIPLE - 1) / MULTIPLE * MULTIPLE)
}

/** Faces of a photo, best first, as distill/detection/retinaface/detector.py and refine.py find them. */
class Detector(private val net: Net, private val spec: DetectorSpec) {
    fun detect(photo: Image): List<Detection> {
        val views = viewsOf(photo.width, photo.height, spec.size)
        // The small view is made of the large one: averaging all pixels of the photo again takes longer.
        val shown = reduced(photo, views[0].size)
        val parts = listOf(whole(shown, views[0].size)) + views.drop(1).map { view(photo, it) }
        val least = secondSearch(views[0], parts[0])
        val again = if (least == null) emptyList() else whole(shown, SMALL_VIEW)
        val large = again.filter { it.box.longer > (least ?: 0.0) }
        val found = suppress(parts.flatten() + large, IOU, if (views.size > 1) INSIDE else 1.0)
        // Once more, because the refinement moves several boxes of a large, blurred face onto each other.
        val refined = suppress(found.map { refined(photo, it) }, IOU, 1.0)
        if (spec.toBox.isEmpty()) return refined
        return refined.map { Detection(calibrated(it, spec.toBox), it.score, it.points) }
    }

    /** Faces of a whole photo, in its pixels. */
    private fun whole(shown: Scaled, size: Int): List<Detection> =
        view(shown.image, View(Window(0, 0, shown.image.width, shown.image.height), size)).map { face ->
            moved(face) { Point((it.x + 0.5) / shown.scale - 0.5, (it.y + 0.5) / shown.scale - 0.5) }
        }

    private fun view(photo: Image, view: View): List<Detection> {
        val window = view.window
        val inputs = letterbox(photo.cutOut(window.left, window.top, window.right, window.bottom), view.size)
        val faces = decodeMaps(net(inputs.image), spec.anchors, spec.minScore)
        return faces.map { face ->
            moved(face) {
                Point((it.x + 0.5) / inputs.scale - 0.5 + window.left, (it.y + 0.5) / inputs.scale - 0.5 + window.top)
            }
        }
    }

    /** The face with box and points averaged over the priors that show it; unchanged where there are none. */
    private fun refined(photo: Image, face: Detection): Detection {
        if (face.box.longer < SMALLEST) return face
        val centre = face.box.centre
        val affine = similarity(REFINE_ZOOM * face.box.longer, centre.x, centre.y, REFINE_SIZE)
        val back = affine.inverse()
        val near = decodeMaps(net(warp(photo, affine, REFINE_SIZE)), spec.anchors, REFINE_SCORE)
        val same = near.map { moved(it, back::apply) }.filter { Overlap(face.box, it.box).union > REFINE_IOU }
        if (same.isEmpty()) return face
        // Odds, limited: what is certain counts most, and no single prior alone.
        val weights = same.map { it.score / (1 - it.score + 1e-3) }
        val low = mean(same.map { Point(it.box.x0, it.box.y0) }, weights)
        val high = mean(same.map { Point(it.box.x1, it.box.y1) }, weights)
        val points = List(face.points.size) { index -> mean(same.map { it.points[index] }, weights) }
        return Detection(Box(low.x, low.y, high.x, high.y), face.score, points)
    }
}

/** A photo with at most `longer` pixels on its longer side. */
private fun reduced(photo: Image, longer: Int): Scaled =
    if (max(photo.width, photo.height) <= longer) Scaled(photo, 1.0) else resizeTo(photo, longer)

/** A face with box and points taken to other coordinates. */
private fun moved(face: Detection, move: (Point) -> Point): Detection {
    val low = move(Point(face.box.x0, face.box.y0))
    val high = move(Point(face.box.x1, face.box.y1))
    return Detection(Box(low.x, low.y, high.x, high.y), face.score, face.points.map(move))
}

private fun mean(points: List<Point>, weights: List<Double>): Point {
    var x = 0.0
    var y = 0.0
    points.zip(weights).forEach { (point, weight) ->
        x += point.x * weight
        y += point.y * weight
    }
    val total = weights.fold(0.0) { sum, weight -> sum + weight }
    return Point(x / total, y / total)
}
