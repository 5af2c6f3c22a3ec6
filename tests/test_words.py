"""Retired names and phrases, and the terms of the field.

Retired words live in .codespell/retired.txt, with their replacements, and are refused by `make lint`; what codespell
cannot match is listed here.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FOLDERS = ("distill", "scripts", "tests", "docs", "configs")
PAGES = ("README.md", "CONTRIBUTING.md")
SUFFIXES = (".py", ".md", ".yaml", ".yml")
THIS = Path(__file__).name

# Parts of a name, as `twin` in `with_twin`.
RETIRED_PARTS = frozenset(
    {"asked", "dearest", "forget", "forgets", "heard", "hears", "hop", "hops", "knows", "ladder", "mend", "mine"}
    | {"rung", "rungs", "said", "stranger", "theirs", "tremble", "trembles", "trembling", "twin", "twins"}
    | {"wander", "wanders"}
)
# Whole names that do not describe their value.
RETIRED_NAMES = frozenset({"one", "place", "places", "seen", "turn", "turns"})
PHRASES = re.compile(
    r"second opinion|asked once|for ever\b|\bfound box|a face says|teacher alone is heard|how hard (?:a|each) term"
    r"|\bpulls? (?:no harder|nowhere|equally)"
    r"|teacher'?s?'? answers?\b|kept answers?\b|answers? (?:of|from) (?:a|the|its) teacher"
    r"|grid of nine|user can mend|network (?:hears|says|speaks|forgets|looks)",
    re.IGNORECASE,
)
# What a reader searches for, in code and in the documentation.
TERMS = ("baseline", "ensemble", "jitter", "knowledge distillation", "soft-argmax", "inter-ocular")


def written_files(*suffixes: str) -> list[Path]:
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in suffixes]
    files += [ROOT / page for page in PAGES if page.endswith(suffixes)]

    return [path for path in files if path.name != THIS]


def defined_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of what a file defines: functions, classes, parameters, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def is_retired(name: str) -> bool:
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    return name in RETIRED_NAMES or any(part.lower() in RETIRED_PARTS for part in parts)


def test_names_are_not_retired() -> None:
    faults = []
    for path in written_files(".py"):
        relative = path.relative_to(ROOT)
        faults += [f"{relative}: name of the file" for _ in range(is_retired(path.stem))]
        for line, name in defined_names(ast.parse(path.read_text(encoding="utf-8"))):
            if is_retired(name):
                faults.append(f"{relative}:{line}: {name}")
    assert not faults, "\n".join(faults)


def test_phrases_are_not_retired() -> None:
    faults = []
    for path in written_files(*SUFFIXES):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            faults += [f"{path.relative_to(ROOT)}:{number}: {match[0]}" for match in PHRASES.finditer(line)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", ["with_twin", "said", "theirLadder", "BoxWander", "seen", "_trembling_percent"])
def test_retired_names_are_recognised(name: str) -> None:
    assert is_retired(name)


@pytest.mark.parametrize("name", ["ones", "foreseen", "placeholder", "determine", "return_value", "between", "shop"])
def test_other_names_are_not(name: str) -> None:
    assert not is_retired(name)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("folder", ["distill", "docs"])
def test_terms_of_the_field_are_found_by_grep(term: str, folder: str) -> None:
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md"))
    assert any(term in text.lower() for text in texts), f"no '{term}' in {folder}/"
