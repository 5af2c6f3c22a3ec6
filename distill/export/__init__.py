"""PyTorch -> ONNX -> TensorFlow Lite, each result checked in pixels, each operator checked against old runtimes."""
