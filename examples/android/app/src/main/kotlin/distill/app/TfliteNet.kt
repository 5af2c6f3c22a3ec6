package distill.app

import distill.core.Image
import distill.core.Output
import java.io.Closeable
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.Interpreter

// Sizes that are kept ready: the whole photo, its small view, a tile, and the refinement of the detector.
private const val SIZES = 4
private const val FLOAT_BYTES = 4

/** A TFLite file with one float32 image as input, of any size where its graph allows that. */
class TfliteNet(file: ByteArray, private val threads: Int) : Closeable {
    private val model = direct(file.size).also { it.put(file).rewind() }
    private val bySize = object : LinkedHashMap<Long, Interpreter>(SIZES, 0.75f, true) {
        override fun removeEldestEntry(eldest: MutableMap.MutableEntry<Long, Interpreter>): Boolean {
            if (size > SIZES) eldest.value.close()
            return size > SIZES
        }
    }

    fun run(image: Image): List<Output> {
        val interpreter = bySize.getOrPut(image.width.toLong() shl 32 or image.height.toLong()) { open(image) }
        val input = direct(FLOAT_BYTES * image.data.size)
        input.asFloatBuffer().put(image.toInput())
        val shapes = List(interpreter.outputTensorCount) { interpreter.getOutputTensor(it).shape() }
        val buffers = shapes.map { shape -> direct(FLOAT_BYTES * shape.fold(1) { product, side -> product * side }) }
        val outputs = HashMap<Int, Any>()
        buffers.forEachIndexed { index, buffer -> outputs[index] = buffer }
        interpreter.runForMultipleInputsOutputs(arrayOf<Any>(input), outputs)
        return shapes.zip(buffers) { shape, buffer ->
            buffer.rewind()
            val values = FloatArray(buffer.remaining() / FLOAT_BYTES)
            buffer.asFloatBuffer().get(values)
            Output(shape, values)
        }
    }

    private fun open(image: Image): Interpreter {
        val interpreter = Interpreter(model, Interpreter.Options().setNumThreads(threads))
        interpreter.resizeInput(0, intArrayOf(1, image.height, image.width, 3))
        interpreter.allocateTensors()
        return interpreter
    }

    override fun close() {
        bySize.values.forEach { it.close() }
        bySize.clear()
    }

    private fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
}
