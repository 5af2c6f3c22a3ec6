"""Released models by name, and the files that are installed with the package."""
