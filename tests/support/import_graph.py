"""Imports between the modules of a package, read from their source, and the circles among them."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


def circles(package: Path) -> list[str]:
    """Return the first import circle as text, or nothing. Blocks under TYPE_CHECKING do not count."""
    graph = import_graph(source_files(package))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def source_files(package: Path) -> dict[str, Path]:
    """Return the files of a package by dotted module name."""
    return {_name(path, package): path for path in package.rglob("*.py")}


def import_graph(files: dict[str, Path]) -> dict[str, set[str]]:
    """Return the modules that each module imports, also inside functions."""
    return {name: imports_of(path, files) - {name} for name, path in files.items()}


def _name(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, files: dict[str, Path]) -> set[str]:
    """Return those of `files` that a source file imports."""
    names: set[str] = set()
    stack: list[ast.AST] = [ast.parse(path.read_text())]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            stack += node.orelse
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found = submodules & files.keys()
            names |= found
            if found != submodules:  # also names of the module itself
                names.add(node.module)
        stack += ast.iter_child_nodes(node)
    return names & files.keys()
