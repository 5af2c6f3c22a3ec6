package distill.core

const val COLOURS = 3

/** An RGB image, three bytes a pixel, row by row. */
class Image(val data: ByteArray, val width: Int, val height: Int) {
    constructor(width: Int, height: Int, fill: Int = 0) : this(
        ByteArray(COLOURS * width * height) { fill.toByte() }, width, height
    )

    fun at(index: Int): Int = data[index].toInt() and 0xFF

    /** Columns from x0 to x1, rows from y0 to y1, ends not included. */
    fun cutOut(x0: Int, y0: Int, x1: Int, y1: Int): Image {
        if (x0 == 0 && y0 == 0 && x1 == width && y1 == height) return this
        val part = Image(x1 - x0, y1 - y0)
        for (y in y0 until y1) {
            val from = COLOURS * (y * width + x0)
            System.arraycopy(data, from, part.data, COLOURS * (y - y0) * part.width, COLOURS * part.width)
        }
        return part
    }

    /** Input of a network: RGB in [0, 1]. */
    fun toInput(): FloatArray = FloatArray(data.size) { at(it) / 255f }
}

/** An RGB image from the four bytes a pixel of a camera, whose rows may be longer than the image. */
fun fromRgba(bytes: ByteArray, width: Int, height: Int, rowStride: Int): Image {
    val image = Image(width, height)
    var to = 0
    for (y in 0 until height) {
        var from = y * rowStride
        for (x in 0 until width) {
            image.data[to++] = bytes[from]
            image.data[to++] = bytes[from + 1]
            image.data[to++] = bytes[from + 2]
            from += 4
        }
    }
    return image
}
