"""The page of `distill demo web` in headless Chromium: what its tests, its measurement and its picture share."""
