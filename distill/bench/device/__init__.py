"""Benchmarks on phones and boards: files timed with TensorFlow Lite's `benchmark_model` over adb or ssh."""
