"""Detector and landmark models in the browser: a static page that runs the TFLite files in LiteRT.js."""
