package distill.core

import kotlin.math.PI
import kotlin.math.abs

/**
 * One-Euro filter of Casiez, Roussel and Vogel (CHI 2012): a low-pass filter whose cutoff rises with the speed.
 *
 * Cutoff frequencies are in hertz, speeds in units of the values per second; every value has a cutoff of its own.
 */
class OneEuro(
    private val minCutoff: Double = 2.0,
    private val beta: Double = 60.0,
    private val derivativeCutoff: Double = 1.0
) {
    private var values: DoubleArray? = null
    private var speeds = DoubleArray(0)

    /** Filtered values; `seconds` is the time since the last call, ignored in the first. */
    fun filter(next: DoubleArray, seconds: Double): DoubleArray {
        val last = values
        if (last == null) {
            speeds = DoubleArray(next.size)
            values = next.copyOf()
            return next
        }
        for (index in next.indices) {
            val speed = (next[index] - last[index]) / seconds
            speeds[index] += factor(derivativeCutoff, seconds) * (speed - speeds[index])
            val cutoff = minCutoff + beta * abs(speeds[index])
            last[index] += factor(cutoff, seconds) * (next[index] - last[index])
        }
        return last.copyOf()
    }

    private fun factor(cutoff: Double, seconds: Double): Double = 1 / (1 + 1 / (2 * PI * cutoff * seconds))
}
