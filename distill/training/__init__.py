"""Training teacher and student with Lightning."""
