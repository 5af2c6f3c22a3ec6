package distill.core

import kotlin.math.exp
import kotlin.math.ln
import kotlin.math.max
import kotlin.math.min

/** An output of a network. */
class Output(val shape: IntArray, val data: FloatArray)

/** Sides of the square prior boxes at each cell of every feature map, the finest map first. */
class Anchors(val strides: IntArray, val sizes: List<DoubleArray>)

// SSD's variances, and the limit of the logarithm of a side in prior boxes.
private const val CENTRE_VARIANCE = 0.1
private const val SIZE_VARIANCE = 0.2
private const val LARGEST_LOG_RATIO = 6.0
private const val POINTS = 5

/** Faces of at least `minScore`, in pixels of the input, from the detector's maps [1, rows, columns, channels]. */
fun decodeMaps(maps: List<Output>, anchors: Anchors, minScore: Double): List<Detection> {
    val perCell = anchors.sizes[0].size
    val scores = byStride(maps, perCell)
    val offsets = byStride(maps, perCell * 4)
    val moves = byStride(maps, perCell * 2 * POINTS)
    val tiny = java.lang.Float.MIN_NORMAL.toDouble()
    val floor = ln(max(minScore, tiny)) - ln(max(1 - minScore, tiny))
    val faces = ArrayList<Detection>()
    anchors.strides.forEachIndexed { level, stride ->
        val columns = scores[level].shape[2]
        val logits = scores[level].data
        for (index in logits.indices) {
            if (logits[index] < floor) continue
            val cell = index / perCell
            val x = (cell % columns + 0.5) * stride - 0.5
            val y = (cell / columns + 0.5) * stride - 0.5
            val prior = Prior(x, y, anchors.sizes[level][index % perCell])
            faces.add(prior.decode(logits[index], offsets[level].data, moves[level].data, index))
        }
    }
    return faces
}

/** Maps with this number of channels, the finest first: converters do not keep the order of outputs. */
private fun byStride(maps: List<Output>, channels: Int): List<Output> =
    maps.filter { it.shape[3] == channels }.sortedByDescending { it.data.size }

private class Prior(val x: Double, val y: Double, val side: Double) {
    fun decode(logit: Float, offsets: FloatArray, moves: FloatArray, index: Int): Detection {
        val middleX = x + offsets[4 * index] * CENTRE_VARIANCE * side
        val middleY = y + offsets[4 * index + 1] * CENTRE_VARIANCE * side
        val halfWidth = half(offsets[4 * index + 2])
        val halfHeight = half(offsets[4 * index + 3])
        val points = List(POINTS) {
            val at = 2 * (POINTS * index + it)
            Point(x + moves[at] * CENTRE_VARIANCE * side, y + moves[at + 1] * CENTRE_VARIANCE * side)
        }
        val box = Box(middleX - halfWidth, middleY - halfHeight, middleX + halfWidth, middleY + halfHeight)
        return Detection(box, 1 / (1 + exp(-logit.toDouble())), points)
    }

    private fun half(log: Float): Double = side * exp(min(log * SIZE_VARIANCE, LARGEST_LOG_RATIO)) / 2
}
