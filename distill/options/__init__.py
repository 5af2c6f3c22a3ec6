"""Options of commands from typed classes and functions, on the command line or in YAML recipes."""

from distill.options.parser import explicit_options, options_of, parse, shown_positional
from distill.options.recipes import find_recipe, load_recipe, merge, nested

__all__ = [
    "explicit_options", "find_recipe", "load_recipe", "merge", "nested", "options_of", "parse", "shown_positional",
]  # fmt: skip
