package distill.app

import android.content.res.AssetManager
import distill.core.Detector
import distill.core.Face
import distill.core.Image
import distill.core.Landmarker
import distill.core.Tracker
import distill.core.readDetectorSpec
import distill.core.readModelSpec

private const val DETECTOR = "retinaface_035_fp16"
private const val THREADS = 2

/** Detector, landmark network and tracker, from the assets of the app; used from one thread. */
class Pipeline(private val assets: AssetManager) {
    /** Names of the landmark models, the default first. */
    val models: List<String> = text("models.txt").lines()
    private val detectorNet = TfliteNet(bytes("$DETECTOR.tflite"), THREADS)
    private val detector = Detector(detectorNet::run, readDetectorSpec(text("$DETECTOR.json")))
    private var net: TfliteNet? = null
    private var tracker: Tracker<Image>? = null

    /** Replace the landmark network. */
    fun choose(name: String) {
        net?.close()
        val opened = TfliteNet(bytes("$name.tflite"), THREADS)
        val landmarker = Landmarker(opened::run, readModelSpec(text("$name.json"), text("schemes.json")))
        net = opened
        tracker = Tracker(detector::detect, landmarker::place)
    }

    /** Faces of a camera image; `seconds` since the one before. */
    fun run(frame: Image, seconds: Double): List<Face> =
        tracker?.next(frame, frame.width, frame.height, seconds) ?: emptyList()

    fun close() {
        net?.close()
        detectorNet.close()
    }

    private fun bytes(name: String): ByteArray = assets.open(name).use { it.readBytes() }

    private fun text(name: String): String = String(bytes(name), Charsets.UTF_8)
}
