package distill.core

import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/*
 * Scaling with the numbers of cv2.resize, so that the detector finds the same boxes as in Python.
 */

private const val ONE = 2048 // bilinear weights are integers of 11 bits

/** Bilinear by `scale` below 1, after averaging blocks of pixels, as `resize_to` in distill/images/warp.py. */
fun shrink(image: Image, width: Int, height: Int, scale: Double): Image {
    val block = (1 / scale).toInt()
    val rest = scale * block
    val part = if (block > 1) blockMeans(image, block) else image
    return if (rest < 1) bilinear(part, width, height, 1 / rest, 1 / rest) else part.cutOut(0, 0, width, height)
}

/** Means of blocks of whole pixels; blocks at the far edge are filled up with the edge. */
fun blockMeans(image: Image, block: Int): Image {
    val result = Image((image.width + block - 1) / block, (image.height + block - 1) / block)
    val sums = IntArray(COLOURS * result.width)
    // OpenCV rounds the mean of two by two pixels up, and every other mean to the even value.
    val rounding = if (block == 2) 1e-6 else 0.0
    for (y in 0 until result.height) {
        sums.fill(0)
        for (step in 0 until block) {
            val row = min(y * block + step, image.height - 1) * image.width
            for (x in 0 until result.width * block) {
                val from = COLOURS * (row + min(x, image.width - 1))
                val to = COLOURS * (x / block)
                for (colour in 0 until COLOURS) sums[to + colour] += image.at(from + colour)
            }
        }
        for (at in sums.indices) {
            result.data[y * sums.size + at] = rounded(sums[at].toDouble() / (block * block) + rounding)
        }
    }
    return result
}

private fun rounded(mean: Double): Byte = min(255.0, max(0.0, Math.rint(mean))).toInt().toByte()

/** Bilinear enlargement to a size. */
fun enlarge(image: Image, width: Int, height: Int): Image =
    bilinear(image, width, height, image.width.toDouble() / width, image.height.toDouble() / height)

/** Bilinear interpolation (INTER_LINEAR) with the source cells that a target cell takes along x and y. */
private fun bilinear(image: Image, width: Int, height: Int, across: Double, down: Double): Image {
    val columns = LinearTable(image.width, width, across, true)
    val rows = LinearTable(image.height, height, down, false)
    val result = Image(width, height)
    var to = 0
    for (y in 0 until height) {
        val upper = COLOURS * rows.first[y] * image.width
        val lower = COLOURS * rows.next[y] * image.width
        for (x in 0 until width) {
            val left = COLOURS * columns.first[x]
            val right = COLOURS * columns.next[x]
            for (colour in 0 until COLOURS) {
                val above = columns.mixed(x, image.at(upper + left + colour), image.at(upper + right + colour))
                val below = columns.mixed(x, image.at(lower + left + colour), image.at(lower + right + colour))
                val sum = ((rows.weight[y] * (above shr 4)) shr 16) + ((rows.rest[y] * (below shr 4)) shr 16)
                result.data[to++] = ((sum + 2) shr 2).toByte()
            }
        }
    }
    return result
}

/** Two source cells and their weights for each target cell; OpenCV has no weights at the ends of rows. */
private class LinearTable(source: Int, target: Int, scale: Double, alongRow: Boolean) {
    val first = IntArray(target)
    val next = IntArray(target)
    val weight = IntArray(target)
    val rest = IntArray(target)

    init {
        for (index in 0 until target) {
            val at = ((index + 0.5) * scale - 0.5).toFloat()
            val cell = floor(at).toInt()
            val outside = cell < 0 || cell >= source - 1
            val part = if (alongRow && outside) 0f else at - cell
            first[index] = min(max(cell, 0), source - 1)
            next[index] = min(max(cell + 1, 0), source - 1)
            weight[index] = roundHalfEven(((1f - part) * ONE).toDouble())
            rest[index] = roundHalfEven((part * ONE).toDouble())
        }
    }

    fun mixed(index: Int, one: Int, other: Int): Int = weight[index] * one + rest[index] * other
}
