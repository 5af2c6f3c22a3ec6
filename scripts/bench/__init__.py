"""Timings of single parts of the package."""
