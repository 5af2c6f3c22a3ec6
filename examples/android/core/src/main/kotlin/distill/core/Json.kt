package distill.core

/** Parse JSON: objects as Map, arrays as List, numbers as Double, texts, Booleans and null. */
fun parseJson(text: String): Any? = JsonReader(text).read()

private class JsonReader(private val text: String) {
    private var at = 0

    fun read(): Any? {
        val value = value()
        skipSpace()
        require(at == text.length) { "unexpected text at $at" }
        return value
    }

    private fun value(): Any? {
        skipSpace()
        require(at < text.length) { "unexpected end" }
        return when (text[at]) {
            '{' -> record()
            '[' -> list()
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> number()
        }
    }

    private fun record(): Map<String, Any?> {
        val found = LinkedHashMap<String, Any?>()
        items('}') {
            skipSpace()
            val name = string()
            expect(':')
            found[name] = value()
        }
        return found
    }

    private fun list(): List<Any?> {
        val found = ArrayList<Any?>()
        items(']') { found.add(value()) }
        return found
    }

    private fun items(end: Char, item: () -> Unit) {
        at++
        skipSpace()
        if (at < text.length && text[at] == end) {
            at++
            return
        }
        while (true) {
            item()
            skipSpace()
            require(at < text.length) { "unexpected end" }
            if (text[at] == end) break
            expect(',')
        }
        at++
    }

    private fun string(): String {
        expect('"')
        val found = StringBuilder()
        while (text[at] != '"') found.append(if (text[at] == '\\') escaped() else text[at++])
        at++
        return found.toString()
    }

    private fun escaped(): Char {
        val letter = text[at + 1]
        at += 2
        if (letter != 'u') return ESCAPES[letter] ?: letter
        at += 4
        return Integer.parseInt(text.substring(at - 4, at), 16).toChar()
    }

    private fun number(): Double {
        val start = at
        while (at < text.length && text[at] in "+-.0123456789eE") at++
        return text.substring(start, at).toDouble()
    }

    private fun <T> word(word: String, value: T): T {
        require(text.startsWith(word, at)) { "unexpected text at $at" }
        at += word.length
        return value
    }

    private fun expect(letter: Char) {
        skipSpace()
        require(at < text.length && text[at] == letter) { "expected $letter at $at" }
        at++
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\r\n") at++
    }

    private companion object {
        val ESCAPES = mapOf('n' to '\n', 't' to '\t', 'r' to '\r', 'b' to '\b', 'f' to '\u000C')
    }
}
