"""What a landmark is: schemes as data and the maps between them."""

from distill.landmarks.convert import convert, is_exact
from distill.landmarks.schemes import Edge, Scheme, list_schemes, load_scheme

__all__ = ["Edge", "Scheme", "convert", "is_exact", "list_schemes", "load_scheme"]
