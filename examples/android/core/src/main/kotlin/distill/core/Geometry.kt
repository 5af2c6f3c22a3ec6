package distill.core

import kotlin.math.max

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

/** Affine from a square of the photo (side, centre) to a crop of `size` pixels. */
fun similarity(side: Double, x: Double, y: Double, size: Int): Affine {
    val zoom = size / side
    val middle = (size - 1) / 2.0
    return Affine(zoom, 0.0, middle - zoom * x, 0.0, zoom, middle - zoom * y)
}

/** Affine of the crop of a face box. */
fun cropAffine(box: Box, crop: Crop): Affine =
    similarity(box.longer * crop.scale, box.centre.x, box.centre.y + crop.shiftY * box.longer, crop.size)

/** Nearest integer, halves to the even one, as Python's `round`. */
fun roundHalfEven(value: Double): Int = Math.rint(value).toInt()
