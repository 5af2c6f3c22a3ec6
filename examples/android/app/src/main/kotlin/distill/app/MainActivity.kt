package distill.app

import android.Manifest
import android.graphics.Bitmap
import android.os.Bundle
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.LinearLayout
import android.widget.Spinner
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import androidx.camera.lifecycle.ProcessCameraProvider
import distill.core.Face
import distill.core.Image
import distill.core.fromRgba
import java.util.Locale
import java.util.concurrent.Executor
import java.util.concurrent.Executors

private const val NANOSECONDS = 1e9
private const val FIRST_STEP = 1 / 30.0

/** Camera, overlay, frames per second and a choice of models. Frames are handled one by one in another thread. */
class MainActivity : ComponentActivity() {
    private val worker = Executors.newSingleThreadExecutor()
    private lateinit var pipeline: Pipeline
    private lateinit var overlay: OverlayView
    private lateinit var status: TextView
    private var lastTimestamp = 0L
    private var frames = 0
    private var countedFrom = 0L

    private val permission = registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
        if (granted) startCamera() else status.text = "The camera is not allowed: allow it in the settings of the app."
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        pipeline = Pipeline(assets)
        overlay = OverlayView(this)
        status = TextView(this)
        val column = LinearLayout(this)
        column.orientation = LinearLayout.VERTICAL
        column.fitsSystemWindows = true
        column.addView(modelChooser())
        column.addView(status)
        val rest = LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, 0, 1f)
        column.addView(overlay, rest)
        setContentView(column)
        permission.launch(Manifest.permission.CAMERA)
    }

    private fun modelChooser(): Spinner {
        val chooser = Spinner(this)
        chooser.adapter = ArrayAdapter(this, android.R.layout.simple_spinner_dropdown_item, pipeline.models)
        chooser.onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
            override fun onItemSelected(parent: AdapterView<*>, view: View?, position: Int, id: Long) {
                worker.execute { pipeline.choose(pipeline.models[position]) }
            }

            override fun onNothingSelected(parent: AdapterView<*>) = Unit
        }
        return chooser
    }

    private fun startCamera() {
        val opening = ProcessCameraProvider.getInstance(this)
        opening.addListener(Runnable {
            val analysis = ImageAnalysis.Builder()
                .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
                .setOutputImageRotationEnabled(true)
                .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
                .build()
            analysis.setAnalyzer(worker, ImageAnalysis.Analyzer { frame -> analyse(frame) })
            val provider = opening.get()
            provider.unbindAll()
            provider.bindToLifecycle(this, CameraSelector.DEFAULT_FRONT_CAMERA, analysis)
        }, Executor { runOnUiThread(it) })
    }

    private fun analyse(frame: ImageProxy) {
        try {
            val faces = pipeline.run(pixels(frame), secondsSince(frame.imageInfo.timestamp))
            val shown = frame.toBitmap()
            val rate = frameRate(frame.imageInfo.timestamp)
            runOnUiThread { show(shown, faces, rate) }
        } finally {
            frame.close()
        }
    }

    private fun pixels(frame: ImageProxy): Image {
        val plane = frame.planes[0]
        val bytes = ByteArray(plane.buffer.remaining())
        plane.buffer.get(bytes)
        // `toBitmap` reads the buffer from its position.
        plane.buffer.rewind()
        return fromRgba(bytes, frame.width, frame.height, plane.rowStride)
    }

    private fun secondsSince(timestamp: Long): Double {
        val step = (timestamp - lastTimestamp) / NANOSECONDS
        val first = lastTimestamp == 0L
        lastTimestamp = timestamp
        return if (first || step <= 0) FIRST_STEP else step
    }

    /** Frames per second over the last second or more; null until it has passed. */
    private fun frameRate(timestamp: Long): Double? {
        frames++
        val seconds = (timestamp - countedFrom) / NANOSECONDS
        if (seconds < 1) return null
        val rate = if (countedFrom == 0L) null else frames / seconds
        countedFrom = timestamp
        frames = 0
        return rate
    }

    private fun show(image: Bitmap, faces: List<Face>, rate: Double?) {
        overlay.show(image, faces)
        if (rate != null) status.text = String.format(Locale.ROOT, "%.1f frames/s, %d faces", rate, faces.size)
    }

    override fun onDestroy() {
        super.onDestroy()
        worker.execute { pipeline.close() }
        worker.shutdown()
    }
}
