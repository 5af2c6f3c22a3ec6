package distill.core

/** Mean confidence from which the landmarks of a face count as placed (distill/inference/confidence.py). */
const val MIN_CONFIDENCE = 0.55

/**
 * A face with its landmarks, in photo pixels; `confidence` is null where the network gives none.
 *
 * The crop of a tilted face is turned by `cropRoll` degrees, clockwise, and so is its box, around its centre.
 */
class Face(
    val id: Int,
    val box: Box,
    val score: Double,
    val landmarks: List<Point>,
    val confidence: Double?,
    val cropRoll: Double = 0.0
) {
    val placed: Boolean get() = confidence == null || confidence >= MIN_CONFIDENCE

    fun with(
        id: Int = this.id, box: Box = this.box, score: Double = this.score, landmarks: List<Point> = this.landmarks
    ) = Face(id, box, score, landmarks, confidence, cropRoll)
}

/** Landmarks of a face: crop, network, and the points back in the photo, as distill/inference/landmarker.py. */
class Landmarker(private val net: Net, private val spec: ModelSpec) {
    /** The face of a detection; one that is tilted in its crop is cut out again, turned upright. */
    fun place(photo: Image, detection: Detection): Face {
        var face = placeInCrop(photo, detection)
        val roll = spec.roll ?: return face
        for (crop in 0 until roll.moreCrops) face = placeInCrop(photo, turnedCrop(face, roll) ?: break)
        return face
    }

    private fun placeInCrop(photo: Image, detection: Detection): Face {
        val size = spec.crop.size
        val affine = cropAffine(detection.box, spec.crop, detection.roll)
        val back = affine.inverse()
        val outputs = net(warp(photo, affine, size))
        val points = outputs.first { it.shape.size == 3 }
        val certainty = outputs.firstOrNull { it.shape.size == 2 }
        val landmarks = List(points.shape[1]) {
            back.apply(Point(points.data[2 * it] * size - 0.5, points.data[2 * it + 1] * size - 0.5))
        }
        val confidence = certainty?.data?.fold(0.0) { sum, value -> sum + value }?.div(certainty.data.size)
        return Face(0, detection.box, detection.score, landmarks, confidence, detection.roll)
    }
}
