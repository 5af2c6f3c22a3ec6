package distill.core

import kotlin.math.max

const val MULTIPLE = 32 // sides of the detector's input
private const val FILL = 114 // grey beside the photo

/** A photo in another size, and pixels of it per pixel of the photo. */
class Scaled(val image: Image, val scale: Double)

/** Scale the longer side to `size`, as `resize_to` in distill/images/warp.py. */
fun resizeTo(photo: Image, size: Int): Scaled {
    val scale = size.toDouble() / max(photo.width, photo.height)
    val width = max(1, roundHalfEven(photo.width * scale))
    val height = max(1, roundHalfEven(photo.height * scale))
    return when {
        scale == 1.0 -> Scaled(photo, scale)
        scale < 1 -> Scaled(shrink(photo, width, height, scale), scale)
        else -> Scaled(enlarge(photo, width, height), scale)
    }
}

/** Input of the detector: `resizeTo`, filled up at the right and the bottom, as letterbox.py of the detector. */
fun letterbox(photo: Image, size: Int): Scaled {
    val scaled = resizeTo(photo, size)
    val width = scaled.image.width
    val height = scaled.image.height
    val image = Image(multiple(width), multiple(height), FILL)
    for (y in 0 until height) {
        System.arraycopy(scaled.image.data, COLOURS * y * width, image.data, COLOURS * y * image.width, COLOURS * width)
    }
    return Scaled(image, scaled.scale)
}

private fun multiple(side: Int): Int = (side + MULTIPLE - 1) / MULTIPLE * MULTIPLE
