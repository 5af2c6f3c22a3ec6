"""Face detectors of other projects: YuNet, SCRFD and UltraFace files, recognised by the shapes of their outputs."""
