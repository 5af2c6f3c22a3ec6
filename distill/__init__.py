"""Knowledge distillation for facial landmarks on embedded devices."""

__version__ = "0.1.0"
