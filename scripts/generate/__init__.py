"""Programs that write files of the package or of the documentation."""
