"""PyTorch -> ONNX -> TensorFlow Lite, each hop checked in pixels, each operator checked against old runtimes."""
