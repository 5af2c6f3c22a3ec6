package distill.core

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import kotlin.math.hypot
import kotlin.math.max

/*
 * Run the core on vectors that tests/examples/test_android.py writes, and print its results as JSON. The networks are
 * replayed: the inputs are compared with those of Python, and Python's outputs are returned.
 */

fun main(args: Array<String>) {
    val folder = File(args[0])
    val vectors = parseJson(File(folder, "vectors.json").readText()) as Map<*, *>
    val photos = (vectors["photos"] as List<*>).map { photoResult(folder, it as Map<*, *>) }
    val clip = clipResult(folder, vectors["clip"] as Map<*, *>)
    val tracks = tracks(vectors["tracking"] as Map<*, *>)
    println(json(mapOf("photos" to photos, "clip" to clip, "tracks" to tracks)))
}

/** Detector and landmarks on recorded networks. */
private class Recording(folder: File, entry: Map<*, *>) {
    private val detectorNet = Replay(folder, entry["detector_calls"] as List<*>)
    private val landmarkNet = Replay(folder, entry["landmark_calls"] as List<*>)
    val spec = readModelSpec(entry["model"] as String, entry["schemes"] as String)
    val detector = Detector(detectorNet::run, readDetectorSpec(entry["detector"] as String))
    val landmarker = Landmarker(landmarkNet::run, spec)

    fun differences() = mapOf(
        "input_difference" to detectorNet.difference,
        "crop_difference" to landmarkNet.difference,
        "calls" to listOf(detectorNet.calls, landmarkNet.calls)
    )
}

private fun photoResult(folder: File, entry: Map<*, *>): Map<String, Any?> {
    val photo = image(folder, entry["photo"] as Map<*, *>)
    val recording = Recording(folder, entry)
    val detections = recording.detector.detect(photo)
    val faces = detections.map { recording.landmarker.place(photo, it) }
    val affines = faces.map { cropAffine(it.box, recording.spec.crop, it.cropRoll) }
    return recording.differences() + mapOf(
        "detections" to detections.map { listOf(corners(it.box), it.score, it.points.map(::pair)) },
        "affines" to affines.map { listOf(it.a, it.b, it.c, it.d, it.e, it.f) },
        "faces" to faces.map(::face)
    )
}

private fun clipResult(folder: File, entry: Map<*, *>): Map<String, Any?> {
    val recording = Recording(folder, entry)
    val tracker = Tracker(recording.detector::detect, recording.landmarker::place, int(entry["redetect"]))
    val tracks = (entry["frames"] as List<*>).map {
        val frame = image(folder, it as Map<*, *>)
        tracker.next(frame, frame.width, frame.height, entry["seconds"] as Double).map(::face)
    }
    return recording.differences() + mapOf("tracks" to tracks)
}

/** A network whose outputs are known for every call, in order. */
private class Replay(private val folder: File, private val recorded: List<*>) {
    var calls = 0
    var difference = 0

    fun run(input: Image): List<Output> {
        val call = recorded[calls++] as Map<*, *>
        val expected = image(folder, call["input"] as Map<*, *>)
        require(input.width == expected.width && input.height == expected.height) { "an input of another size" }
        for (index in input.data.indices) difference = max(difference, abs(input.at(index) - expected.at(index)))
        return (call["outputs"] as List<*>).map { output(folder, it as Map<*, *>) }
    }
}

private fun image(folder: File, entry: Map<*, *>): Image {
    val size = entry["size"] as List<*>
    return Image(File(folder, entry["file"] as String).readBytes(), int(size[0]), int(size[1]))
}

private fun output(folder: File, entry: Map<*, *>): Output {
    val bytes = File(folder, entry["file"] as String).readBytes()
    val floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    return Output((entry["shape"] as List<*>).map(::int).toIntArray(), FloatArray(floats.remaining()) { floats.get(it) })
}

/** Faces of a video whose detector and landmarks are scripted. */
private fun tracks(script: Map<*, *>): List<List<List<Any?>>> {
    val tracker = Tracker<Map<*, *>>(::scriptedDetections, ::scriptedFace, int(script["redetect"]))
    val width = int(script["width"])
    val height = int(script["height"])
    return (script["frames"] as List<*>).map { frame ->
        tracker.next(frame as Map<*, *>, width, height, script["seconds"] as Double).map(::face)
    }
}

private fun scriptedDetections(frame: Map<*, *>): List<Detection> = (frame["detections"] as List<*>).map {
    val (x0, y0, x1, y1, score) = (it as List<*>).map { value -> value as Double }
    Detection(Box(x0, y0, x1, y1), score)
}

/** The face nearest to a box; its landmarks depend a little on the crop, as those of a network do. */
private fun scriptedFace(frame: Map<*, *>, detection: Detection): Face {
    val box = detection.box
    val faces = (frame["faces"] as List<*>).map { it as Map<*, *> }
    val nearest = faces.sortedBy { hypot(middle(it).x - box.centre.x, middle(it).y - box.centre.y) }.first()
    val middle = middle(nearest)
    val landmarks = points(nearest).map {
        Point(it.x + 0.02 * (box.centre.x - middle.x), it.y + 0.02 * (box.centre.y - middle.y))
    }
    return Face(0, box, detection.score, landmarks, nearest["confidence"] as Double)
}

private fun points(face: Map<*, *>): List<Point> = (face["landmarks"] as List<*>).map {
    val (x, y) = (it as List<*>).map { value -> value as Double }
    Point(x, y)
}

private fun middle(face: Map<*, *>): Point {
    val points = points(face)
    return Point(points.map { it.x }.average(), points.map { it.y }.average())
}

private fun face(face: Face): List<Any?> =
    listOf(face.id, corners(face.box), face.landmarks.map(::pair), face.confidence, face.placed, face.cropRoll)

private fun corners(box: Box) = listOf(box.x0, box.y0, box.x1, box.y1)

private fun pair(point: Point) = listOf(point.x, point.y)

private fun int(value: Any?): Int = (value as Double).toInt()

private fun json(value: Any?): String = when (value) {
    is Map<*, *> -> value.entries.joinToString(",", "{", "}") { "\"${it.key}\":${json(it.value)}" }
    is List<*> -> value.joinToString(",", "[", "]") { json(it) }
    is String -> "\"$value\""
    else -> value.toString()
}
