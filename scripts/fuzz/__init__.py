"""Long checks on damaged, generated or public data; the test suite has their short forms."""
