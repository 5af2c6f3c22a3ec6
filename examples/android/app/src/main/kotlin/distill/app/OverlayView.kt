package distill.app

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.view.View
import distill.core.Face
import kotlin.math.max
import kotlin.math.min

private const val DOT = 1.2f

/** Draws a camera image and its faces; those whose landmarks are not placed are grey. */
class OverlayView(context: Context) : View(context) {
    private val paint = Paint(Paint.ANTI_ALIAS_FLAG)
    private var image: Bitmap? = null
    private var faces: List<Face> = emptyList()

    fun show(image: Bitmap, faces: List<Face>) {
        this.image = image
        this.faces = faces
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val shown = image ?: return
        val scale = min(width.toFloat() / shown.width, height.toFloat() / shown.height)
        // The front camera is shown as a mirror.
        canvas.translate((width + shown.width * scale) / 2, (height - shown.height * scale) / 2)
        canvas.scale(-scale, scale)
        canvas.drawBitmap(shown, 0f, 0f, null)
        // The centre of a pixel is an integer in our coordinates, and half a pixel further on in those of the canvas.
        canvas.translate(0.5f, 0.5f)
        faces.forEach { draw(canvas, it) }
    }

    private fun draw(canvas: Canvas, face: Face) {
        paint.color = if (face.placed) Color.GREEN else Color.GRAY
        paint.style = Paint.Style.STROKE
        val box = face.box
        canvas.save()
        canvas.rotate(face.cropRoll.toFloat(), box.centre.x.toFloat(), box.centre.y.toFloat())
        canvas.drawRect(box.x0.toFloat(), box.y0.toFloat(), box.x1.toFloat(), box.y1.toFloat(), paint)
        canvas.restore()
        paint.style = Paint.Style.FILL
        val radius = max(DOT, (DOT * box.longer / 128).toFloat())
        face.landmarks.forEach { canvas.drawCircle(it.x.toFloat(), it.y.toFloat(), radius, paint) }
    }
}
