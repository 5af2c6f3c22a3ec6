package distill.core

import kotlin.math.max
import kotlin.math.min

/*
 * Tilted faces: which to cut out again, turned upright by the roll of their landmarks, as distill/inference/roll.py.
 */

// Ratio of the sides of two boxes of one face, beyond which the points are not on it.
private const val LARGEST_CHANGE = 3

/**
 * How tilted faces are cut out again, of a landmark scheme with eyes.
 *
 * @property eyes points whose means are the subject's right and left eye
 * @property maxRoll tilt in degrees beyond which a face is cut out again
 * @property moreCrops largest number of crops after the first one
 * @property tight whether the tight box of the landmarks is the box that the detector finds
 */
class RollSettings(val eyes: List<List<Int>>, val maxRoll: Double, val moreCrops: Int, val tight: Boolean)

/** Where to cut out a face again, upright; null where it is upright in its crop. */
fun turnedCrop(face: Face, settings: RollSettings): Detection? {
    val roll = rollOfPoints(face.landmarks, settings.eyes)
    if (!(angleBetween(roll, face.cropRoll) > settings.maxRoll)) return null // also where the roll is not finite
    val tight = turnedBoxOfPoints(face.landmarks, roll)
    val box = if (settings.tight && isOfSize(tight, face.box)) tight else face.box
    return Detection(box, face.score, roll = roll)
}

/** Whether a box is about as large as another. */
private fun isOfSize(box: Box, other: Box): Boolean {
    val side = other.longer
    return side / LARGEST_CHANGE < min(box.width, box.height) && max(box.width, box.height) < side * LARGEST_CHANGE
}
