"""Landmark schemes and the conversions between them."""

from distill.landmarks.convert import Bias, convert, is_exact, map_bias, map_weights, selected_points
from distill.landmarks.names import names_fault, require_names
from distill.landmarks.parse import Edge
from distill.landmarks.schemes import (
    Scheme,
    list_schemes,
    load_scheme,
    own_definition,
    own_definitions,
    register_scheme,
    scheme_name,
)

__all__ = [
    "Bias",
    "Edge",
    "Scheme",
    "convert",
    "is_exact",
    "list_schemes",
    "load_scheme",
    "map_bias",
    "map_weights",
    "names_fault",
    "own_definition",
    "own_definitions",
    "register_scheme",
    "require_names",
    "scheme_name",
    "selected_points",
]
