"""RetinaFace on MobileNetV2: a single-stage face detector with five points for each face."""
