package distill.core

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/*
 * Square crops of a photo, with the numbers of distill/images/warp.py and of cv2.warpAffine, which computes positions
 * in 1/1024 pixel, weights in 1/32, and their products in 1/1024.
 */

private const val POSITION = 1024.0
private const val PARTS = 32
private const val HALF = 16 // POSITION / PARTS / 2
private const val SHIFT = 10
private const val ROUND = 1 shl (SHIFT - 1)

/** Square crop of a photo: bilinear, after averaging blocks of pixels where it shrinks; edge pixels repeat. */
fun warp(photo: Image, affine: Affine, size: Int): Image {
    val zoom = sqrt(abs(affine.a * affine.e - affine.b * affine.d))
    val block = max(1, (1 / zoom).toInt())
    val columns = needed(photo.width, affine, size, 2 * block) { it.x }
    val rows = needed(photo.height, affine, size, 2 * block) { it.y }
    var part = photo.cutOut(columns.first, rows.first, columns.last + 1, rows.last + 1)
    if (block > 1) part = blockMeans(part, block)
    // The centre of cell j of `part` is photo pixel first + (j + 0.5) * block - 0.5.
    val origin = affine.apply(Point(columns.first + (block - 1) / 2.0, rows.first + (block - 1) / 2.0))
    val scaled = Affine(
        affine.a * block, affine.b * block, origin.x, affine.d * block, affine.e * block, origin.y
    )
    return bilinear(part, scaled.inverse(), size)
}

/** Rows or columns of the photo that a crop covers; at least one. */
private fun needed(side: Int, affine: Affine, size: Int, margin: Int, axis: (Point) -> Double): IntRange {
    val back = affine.inverse()
    val ends = doubleArrayOf(-0.5, size - 0.5)
    var low = Double.MAX_VALUE
    var high = -Double.MAX_VALUE
    for (x in ends) for (y in ends) {
        val value = axis(back.apply(Point(x, y)))
        low = min(low, value)
        high = max(high, value)
    }
    val first = min(max(floor(low) - margin, 0.0), side - 1.0).toInt()
    val end = min(max(ceil(high) + margin + 1, first + 1.0), side.toDouble()).toInt()
    return first until end
}

/** Sample an image at the positions that `back` (target -> source) gives. */
private fun bilinear(image: Image, back: Affine, size: Int): Image {
    val result = Image(size, size)
    val stepsX = IntArray(size) { roundHalfEven(back.a * it * POSITION) }
    val stepsY = IntArray(size) { roundHalfEven(back.d * it * POSITION) }
    var to = 0
    for (y in 0 until size) {
        val startX = roundHalfEven((back.b * y + back.c) * POSITION) + HALF
        val startY = roundHalfEven((back.e * y + back.f) * POSITION) + HALF
        for (x in 0 until size) {
            val atX = (startX + stepsX[x]) shr 5
            val atY = (startY + stepsY[x]) shr 5
            val right = atX and (PARTS - 1)
            val below = atY and (PARTS - 1)
            val upper = inside(atY shr 5, image.height) * image.width
            val lower = inside((atY shr 5) + 1, image.height) * image.width
            val left = inside(atX shr 5, image.width)
            val next = inside((atX shr 5) + 1, image.width)
            for (colour in 0 until COLOURS) {
                val above = mixed(image, upper + left, upper + next, right, colour)
                val under = mixed(image, lower + left, lower + next, right, colour)
                result.data[to++] = (((PARTS - below) * above + below * under + ROUND) shr SHIFT).toByte()
            }
        }
    }
    return result
}

/** Mean of a colour of two pixels, times 32. */
private fun mixed(image: Image, left: Int, right: Int, part: Int, colour: Int): Int =
    (PARTS - part) * image.at(COLOURS * left + colour) + part * image.at(COLOURS * right + colour)

private fun inside(index: Int, length: Int): Int = min(max(index, 0), length - 1)
