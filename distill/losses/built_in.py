"""Names of the distillation losses in this package, read from their sources: importing them would import torch."""

import ast
from functools import cache
from pathlib import Path

# The distillation loss between features; all others compare predictions and are in `distill.losses.registry`.
FEATURE = "feature"


@cache
def built_in_kd() -> tuple[str, ...]:
    """Return the names that `register_kd("NAME", ...)` registers in the modules of `distill.losses`, and `feature`.

    Files of `--plugin` may add others.
    """
    names = {FEATURE}
    for path in Path(__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "register_kd":
                names.add(ast.literal_eval(node.args[0]))
    return tuple(sorted(names))
