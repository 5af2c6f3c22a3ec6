package distill.core

/*
 * Descriptions beside the model files, `NAME.json`: distill/detection/retinaface/sidecar.py and distill/spec.py; and
 * what Python knows of the landmark schemes, `schemes.json`: distill/inference/roll.py.
 */

/** Description of a detector file; `toBox` calibrates its boxes, empty where it is not calibrated. */
class DetectorSpec(val anchors: Anchors, val size: Int, val minScore: Double, val toBox: List<DoubleArray>)

/**
 * Description of a landmark model: number of points, how a box of the detector becomes the input, and how tilted faces
 * are cut out again, null of points without eyes.
 */
class ModelSpec(val scheme: String, val points: Int, val crop: Crop, val roll: RollSettings?)

fun readDetectorSpec(text: String): DetectorSpec {
    val detector = described(text, "distill-detector/1").record("detector")
    val anchors = detector.record("anchors")
    val strides = anchors.list("strides").map { (it as Double).toInt() }.toIntArray()
    val priors = Anchors(strides, anchors.rows("sizes"))
    return DetectorSpec(priors, detector.int("size"), detector.number("min_score"), detector.rows("to_box"))
}

fun readModelSpec(text: String, schemes: String): ModelSpec {
    val spec = described(text, "distill-model/1").record("spec")
    val crop = spec.record(if (spec["detected"] == null) "crop" else "detected")
    val input = Crop(crop.int("size"), crop.number("scale"), crop.number("shift_y"))
    val scheme = spec["scheme"] as String
    return ModelSpec(scheme, spec.int("n_points"), input, readRollSettings(schemes, scheme))
}

private fun readRollSettings(schemes: String, scheme: String): RollSettings? {
    val known = parseJson(schemes) as Map<*, *>
    require(scheme in known) { "schemes.json has no landmark scheme $scheme: add its eyes, or null of points without" }
    val roll = known[scheme] as Map<*, *>? ?: return null
    val eyes = roll.rows("eyes").map { eye -> eye.map { it.toInt() } }
    return RollSettings(eyes, roll.number("max_roll"), roll.int("more_crops"), roll["tight"] as Boolean)
}

private fun described(text: String, format: String): Map<*, *> {
    val raw = parseJson(text) as Map<*, *>
    require(raw["format"] != "distill-detector/2") { "the file decodes its boxes itself: export it without --decoded" }
    require(raw["format"] == format) { "format ${raw["format"]} instead of $format" }
    return raw
}

private fun Map<*, *>.record(name: String) = this[name] as Map<*, *>

private fun Map<*, *>.list(name: String) = this[name] as List<*>

private fun Map<*, *>.number(name: String) = this[name] as Double

private fun Map<*, *>.int(name: String) = number(name).toInt()

private fun Map<*, *>.rows(name: String): List<DoubleArray> =
    list(name).map { row -> (row as List<*>).map { it as Double }.toDoubleArray() }
