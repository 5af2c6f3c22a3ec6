package distill.core

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/*
 * Scaling with the numbers of cv2.resize, so that the detector finds the same boxes as in Python.
 */

private const val ONE = 2048 // weights of the bilinear enlargement are integers of 11 bits

/** Area average (INTER_AREA): every target pixel is the mean of the part of the source that it covers. */
fun shrink(image: Image, width: Int, height: Int): Image {
    if (image.width % width == 0 && image.height % height == 0) {
        return blockMeans(image, image.width / width, image.height / height)
    }
    val columns = AreaTable(image.width, width)
    val rows = AreaTable(image.height, height)
    val result = Image(width, height)
    val line = FloatArray(COLOURS * width)
    val sums = FloatArray(COLOURS * width)
    for (step in 0 until rows.count) {
        averageLine(line, image, rows.sources[step], columns)
        for (at in sums.indices) sums[at] += rows.weights[step] * line[at]
        if (step + 1 < rows.count && rows.targets[step + 1] == rows.targets[step]) continue
        for (at in sums.indices) result.data[rows.targets[step] * sums.size + at] = rounded(sums[at].toDouble())
        sums.fill(0f)
    }
    return result
}

/** Means of blocks of whole pixels; blocks at the far edge are filled up with the edge. */
fun blockMeans(image: Image, across: Int, down: Int): Image {
    val result = Image((image.width + across - 1) / across, (image.height + down - 1) / down)
    val sums = IntArray(COLOURS * result.width)
    // OpenCV rounds the mean of two by two pixels up, and every other mean to the even value.
    val rounding = if (across == 2 && down == 2) 1e-6 else 0.0
    for (y in 0 until result.height) {
        sums.fill(0)
        for (step in 0 until down) {
            val row = min(y * down + step, image.height - 1) * image.width
            for (x in 0 until result.width * across) {
                val from = COLOURS * (row + min(x, image.width - 1))
                val to = COLOURS * (x / across)
                for (colour in 0 until COLOURS) sums[to + colour] += image.at(from + colour)
            }
        }
        for (at in sums.indices) {
            result.data[y * sums.size + at] = rounded(sums[at].toDouble() / (across * down) + rounding)
        }
    }
    return result
}

private fun rounded(mean: Double): Byte = min(255.0, max(0.0, Math.rint(mean))).toInt().toByte()

/** Pairs of source and target cells that overlap along one axis, and the share of the target. */
private class AreaTable(source: Int, target: Int) {
    val sources = IntArray(source + 3 * target)
    val targets = IntArray(sources.size)
    val weights = FloatArray(sources.size)
    var count = 0

    init {
        val scale = source.toDouble() / target
        for (index in 0 until target) {
            val start = index * scale
            val end = start + scale
            val covered = min(scale, source - start)
            val last = min(floor(end).toInt(), source - 1)
            val first = min(ceil(start).toInt(), last)
            if (first - start > TINY) add(first - 1, index, (first - start) / covered)
            for (cell in first until last) add(cell, index, 1 / covered)
            if (end - last > TINY) add(last, index, min(min(end - last, 1.0), covered) / covered)
        }
    }

    private fun add(cell: Int, index: Int, weight: Double) {
        sources[count] = cell
        targets[count] = index
        weights[count++] = weight.toFloat()
    }

    private companion object {
        const val TINY = 1e-3
    }
}

/** Average a row of the image along x. */
private fun averageLine(line: FloatArray, image: Image, row: Int, table: AreaTable) {
    line.fill(0f)
    for (step in 0 until table.count) {
        val from = COLOURS * (row * image.width + table.sources[step])
        val to = COLOURS * table.targets[step]
        for (colour in 0 until COLOURS) line[to + colour] += table.weights[step] * image.at(from + colour)
    }
}

/** Bilinear enlargement (INTER_LINEAR). */
fun enlarge(image: Image, width: Int, height: Int): Image {
    val columns = LinearTable(image.width, width, true)
    val rows = LinearTable(image.height, height, false)
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
private class LinearTable(source: Int, target: Int, alongRow: Boolean) {
    val first = IntArray(target)
    val next = IntArray(target)
    val weight = IntArray(target)
    val rest = IntArray(target)

    init {
        val scale = source.toDouble() / target
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
