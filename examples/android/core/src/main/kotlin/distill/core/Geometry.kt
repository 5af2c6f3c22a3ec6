package distill.core

import kotlin.math.IEEErem
import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.atan2
import kotlin.math.cos
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sin

/*
 * Pixel convention and affine transforms, as in distill/geometry.py: pixel centres are integers, x runs right, y down.
 */

class Point(val x: Double, val y: Double)

/** A rectangle in pixel coordinates; the corners are positions, so the width is x1 - x0. */
class Box(val x0: Double, val y0: Double, val x1: Double, val y1: Double) {
    val width get() = x1 - x0
    val height get() = y1 - y0
    val longer get() = max(width, height)
    val centre get() = Point((x0 + x1) / 2, (y0 + y1) / 2)
}

/** x' = a x + b y + c, y' = d x + e y + f. */
class Affine(val a: Double, val b: Double, val c: Double, val d: Double, val e: Double, val f: Double) {
    fun apply(point: Point) = Point(a * point.x + b * point.y + c, d * point.x + e * point.y + f)

    fun inverse(): Affine {
        val scale = 1 / (a * e - b * d)
        val ia = e * scale
        val ib = -b * scale
        val id = -d * scale
        val ie = a * scale
        return Affine(ia, ib, -(ia * c + ib * f), id, ie, -(id * c + ie * f))
    }
}

/** How a face box becomes the square input: its side in pixels, in sides of the box, and its shift in those. */
class Crop(val size: Int, val scale: Double, val shiftY: Double)

/** Affine from a square of the photo (side, centre), turned clockwise by `roll` degrees, to a crop of `size` pixels. */
fun similarity(side: Double, x: Double, y: Double, size: Int, roll: Double = 0.0): Affine {
    val zoom = size / side
    val middle = (size - 1) / 2.0
    val cos = zoom * cos(radians(roll))
    val sin = zoom * sin(radians(roll))
    return Affine(cos, sin, middle - (cos * x + sin * y), -sin, cos, middle - (cos * y - sin * x))
}

/** Affine of the crop of a face box that is turned by `roll` degrees around its centre. */
fun cropAffine(box: Box, crop: Crop, roll: Double = 0.0): Affine {
    val below = crop.shiftY * box.longer
    val x = box.centre.x - sin(radians(roll)) * below
    val y = box.centre.y + cos(radians(roll)) * below
    return similarity(box.longer * crop.scale, x, y, crop.size, roll)
}

/** Box that is tight around points when it is turned around its centre by `roll` degrees. */
fun turnedBoxOfPoints(points: List<Point>, roll: Double): Box {
    val upright = similarity(1.0, 0.0, 0.0, 1, roll)
    val tight = boxOfPoints(points.map(upright::apply))
    val centre = upright.inverse().apply(tight.centre)
    val x = tight.width / 2
    val y = tight.height / 2
    return Box(centre.x - x, centre.y - y, centre.x + x, centre.y + y)
}

private fun boxOfPoints(points: List<Point>) = Box(
    points.fold(Double.POSITIVE_INFINITY) { low, point -> min(low, point.x) },
    points.fold(Double.POSITIVE_INFINITY) { low, point -> min(low, point.y) },
    points.fold(Double.NEGATIVE_INFINITY) { high, point -> max(high, point.x) },
    points.fold(Double.NEGATIVE_INFINITY) { high, point -> max(high, point.y) }
)

/** Degrees by which a face is tilted clockwise; `eyes` are the points whose means are the subject's right and left. */
fun rollOfPoints(points: List<Point>, eyes: List<List<Int>>): Double {
    val (right, left) = eyes.map { eye -> mean(eye.map { points[it] }) }
    return atan2(left.y - right.y, left.x - right.x) * 180 / PI
}

/** Angle in [0, 180] degrees between two directions. */
fun angleBetween(degrees: Double, other: Double): Double = abs((degrees - other).IEEErem(360.0))

private fun radians(degrees: Double): Double = degrees * PI / 180

fun mean(points: List<Point>): Point {
    val x = points.fold(0.0) { sum, point -> sum + point.x }
    val y = points.fold(0.0) { sum, point -> sum + point.y }
    return Point(x / points.size, y / points.size)
}

/** Nearest integer, halves to the even one, as Python's `round`. */
fun roundHalfEven(value: Double): Int = Math.rint(value).toInt()
