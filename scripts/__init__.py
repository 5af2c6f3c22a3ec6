"""Programs around the package: studies, generated files, fuzzing and timings, run as `python -m scripts.…`."""
