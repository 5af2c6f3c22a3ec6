package distill.core

import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min

/**
 * A face that the detector found: its box, its score in [0, 1] and five points, in pixels.
 *
 * Where the tilt of the face is known, the box is turned by it around its centre: `roll` degrees, clockwise.
 */
class Detection(
    val box: Box, val score: Double, val points: List<Point> = emptyList(), val roll: Double = 0.0
)

/** Intersection of two boxes over their union and over the smaller area. */
class Overlap(one: Box, other: Box) {
    val union: Double
    val smaller: Double

    init {
        val across = max(0.0, min(one.x1, other.x1) - max(one.x0, other.x0))
        val down = max(0.0, min(one.y1, other.y1) - max(one.y0, other.y0))
        val shared = across * down
        val first = one.width * one.height
        val second = other.width * other.height
        union = shared / max(first + second - shared, java.lang.Double.MIN_NORMAL)
        smaller = shared / max(min(first, second), java.lang.Double.MIN_NORMAL)
    }
}

/** Non-maximum suppression: the best face of each group, best first. */
fun suppress(faces: List<Detection>, iou: Double, inside: Double): List<Detection> {
    var left = faces.sortedByDescending { it.score }
    val kept = ArrayList<Detection>()
    while (left.isNotEmpty()) {
        val best = left[0]
        kept.add(best)
        left = left.drop(1).filter {
            val overlap = Overlap(best.box, it.box)
            overlap.union <= iou && overlap.smaller <= inside
        }
    }
    return kept
}

/** A part of a photo: columns from left to right, rows from top to bottom, ends not included. */
class Window(val left: Int, val top: Int, val right: Int, val bottom: Int)

/** Square tiles of a photo; neighbours share at least this part of a tile. */
fun tileWindows(width: Int, height: Int, side: Int, shared: Double): List<Window> {
    val windows = ArrayList<Window>()
    for (y in centres(height, side, shared)) for (x in centres(width, side, shared)) {
        val left = max(0, roundHalfEven(x + 0.5 - side / 2.0))
        val top = max(0, roundHalfEven(y + 0.5 - side / 2.0))
        windows.add(Window(left, top, min(width, left + side), min(height, top + side)))
    }
    return windows
}

private fun centres(length: Int, side: Int, shared: Double): List<Double> {
    if (length <= side) return listOf((length - 1) / 2.0)
    val count = ceil((length - side) / ((1 - shared) * side)).toInt() + 1
    val step = (length - side).toDouble() / (count - 1)
    return List(count) { side / 2.0 + it * step - 0.5 }
}

/** Tight box of the 68 landmarks from the detector's own box and its five points; `table` is 12 x 4. */
fun calibrated(face: Detection, table: List<DoubleArray>): Box {
    val box = face.box
    val centre = box.centre
    val side = (box.width + box.height) / 2
    val features = DoubleArray(table.size)
    features[0] = 1.0
    features[1] = box.width / side
    face.points.forEachIndexed { index, point ->
        features[2 + 2 * index] = (point.x - centre.x) / side
        features[3 + 2 * index] = (point.y - centre.y) / side
    }
    val found = DoubleArray(4)
    for (row in table.indices) for (column in 0 until 4) found[column] += features[row] * table[row][column] * side
    val x = centre.x + found[2]
    val y = centre.y + found[3]
    return Box(x - found[0] / 2, y - found[1] / 2, x + found[0] / 2, y + found[1] / 2)
}
