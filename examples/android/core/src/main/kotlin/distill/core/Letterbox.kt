package distill.core

import kotlin.math.max

const val MULTIPLE = 32 // sides of the detector's input
private const val FILL = 114 // grey beside the photo

/** A photo as input of the detector, and pixels of the input per pixel of the photo. */
class Letterboxed(val image: Image, val scale: Double)

/** Scale the longer side to `size`, and fill up at the right and the bottom, as letterbox.py of the detector. */
fun letterbox(photo: Image, size: Int): Letterboxed {
    val scale = size.toDouble() / max(photo.width, photo.height)
    val width = max(1, roundHalfEven(photo.width * scale))
    val height = max(1, roundHalfEven(photo.height * scale))
    val scaled = when {
        scale == 1.0 -> photo
        scale < 1 -> shrink(photo, width, height, scale)
        else -> enlarge(photo, width, height)
    }
    val image = Image(multiple(width), multiple(height), FILL)
    for (y in 0 until height) {
        System.arraycopy(scaled.data, COLOURS * y * width, image.data, COLOURS * y * image.width, COLOURS * width)
    }
    return Letterboxed(image, scale)
}

private fun multiple(side: Int): Int = (side + MULTIPLE - 1) / MULTIPLE * MULTIPLE
