"""One-line messages for wrong options, from the errors of the option parser."""

import re
from ast import literal_eval
from dataclasses import MISSING, fields, is_dataclass
from typing import get_args

from jsonargparse import ArgumentParser

from distill.errors import nearest_name

_MAX_LENGTH = 400
# Likeness of names without a group: of a hundred short ones, some other is always half alike.
_CUTOFF = 0.7
# How all other commands name their data, and how a detector's training does.
_FOLDER = ("data.format", "data.root", "data.subset", "data.val_subset", "data.test_subset", "data.preset")
_SETS = "--data.sets '[{labels: FILE, images: FOLDER, format: wider_label}]'"
_TYPES = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "dict": "a mapping"}
_GROUP = re.compile(r"Group '([\w.]+)' does not accept option '([\w.]+)'")
_UNKNOWN = re.compile(r"Option '([\w.]+)' is not accepted|[Uu]nrecognized arguments: --([\w.]+)")
_EXTRA = re.compile(r"[Uu]nrecognized arguments: (.+)")
_MISTYPED = re.compile(r'Parser key "([\w.]+)": Expected an? (.+?)\. Got value: (.*)')
_NO_UNION = re.compile(
    r'Parser key "([\w.]+)": Does not validate against any of the Union subtypes Subtypes: \[(.*?)\] Errors: '
    r".* Given value: (.*)"
)
_NO_MAPPING = re.compile(r"Parser key \"([\w.]+)\": Unable to load config '(.*?)'")
_NO_CLASS = re.compile(
    r'Parser key "([\w.]+)": .*(?:Expected a dot import path string: |Unexpected import path format: '
    r"|Problem with given class_path ')(.*?)(?:': No module named .*)?$"
)
_NO_KEY = re.compile(r'Parser key "([\w.]+)": Problem with given class_path .* arguments are required: (.*)')
_NO_VALUE = re.compile(r"argument (--[\w.]+): expected (?:one|at least one) argument")
_REQUIRED = re.compile(r"the following arguments are required: ([\w., ]+)")
_NESTED = re.compile(r"NestedArg\(key='([\w.]+)', val=")  # `--a.b`, where `a` takes one value
_KEY = re.compile(r'^Parser key "([\w.]+)": ')


def one_line(message: str, parser: ArgumentParser) -> str:
    """Return what is wrong with which option, and what it takes.

    Args:
        message: of the parser; one of unknown form is kept, on one line.
        parser: whose options a misspelt name is compared with.
    """
    text = " ".join(message.split())
    if match := _GROUP.search(text):
        return _unknown_option(f"{match[1]}.{match[2]}", parser)
    if match := _UNKNOWN.search(text):
        group = _NO_UNION.search(text)  # a group that may be left out as a whole
        return _unknown_option(f"{group[1]}.{match[1]}" if group and match[1] else match[1] or match[2], parser)
    return _of_value(text, parser) or _of_form(text, parser) or _KEY.sub(r"--\1: ", text)[:_MAX_LENGTH]


def _of_value(text: str, parser: ArgumentParser) -> str | None:
    """Return the message for a value of a wrong type."""
    if match := _MISTYPED.search(text):
        if inner := _NESTED.match(match[3]):
            return f"unknown option '{match[1]}.{inner[1]}': --{match[1]} is {describe_type(match[2])}"
        return f"--{match[1]} {match[3]}: must be {describe_type(match[2])}"
    if match := _NO_UNION.search(text):
        types = re.findall(r"<class '[\w.]+'>|[\w.]+\[.*?\]|\w+", match[2])
        described = [describe_type(name) for name in types if "NoneType" not in name]
        return f"--{match[1]} {match[3]}: must be {' or '.join(described)}"
    if match := _NO_MAPPING.search(text):
        return f"--{match[1]} {match[2]}: is a group of options; give one, such as --{match[1]}.NAME VALUE"
    if match := _NO_KEY.search(text):
        return f"--{match[1]}: {match[2]} is missing; give it, as in '[{{{_required_keys(match[1], parser)}}}]'"
    if match := _NO_CLASS.search(text):
        example = f"--{match[1]} '[{{{_required_keys(match[1], parser)}}}]'"
        return f"--{match[1]} {match[2]}: must be a list of mappings, such as {example}"
    return None


def _required_keys(name: str, parser: ArgumentParser) -> str:
    """Return the keys that each mapping of an option must have, as they are written."""
    hint = next(getattr(action, "_typehint", None) for action in parser._actions if action.dest == name)
    keys = [
        f"{field.name}: {field.name.upper()}"
        for item in get_args(hint)
        if is_dataclass(item)
        for field in fields(item)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    return ", ".join(keys) or "NAME: VALUE"


def _of_form(text: str, parser: ArgumentParser) -> str | None:
    """Return the message for a command line with too few or too many words."""
    if match := _NO_VALUE.search(text):
        return f"{match[1]} needs a value: {match[1]} VALUE"
    if (match := _REQUIRED.search(text)) and not text.startswith("Parser key"):
        return f"{match[1].upper()} is missing: {parser.usage}"
    if match := _EXTRA.search(text):
        if match[1] == "-":
            return "'-': nothing is read from standard input; give a file"
        return f"unexpected '{match[1]}': an option is written --name value; see --help"
    return None


def describe_type(name: str) -> str:
    """`<class 'int'>` -> `a whole number`; `typing.Literal['a', 'b']` -> `one of a, b`; others by their name."""
    if choices := re.search(r"Literal(\[.*\])", name):
        return f"one of {', '.join(map(str, literal_eval(choices[1])))}"
    plain = name.removeprefix("<class '").removesuffix("'>")
    return _TYPES.get(plain, plain)


def _unknown_option(wrong: str, parser: ArgumentParser) -> str:
    valid = [action.dest for action in parser._actions if action.dest not in ("help", "config")]
    if wrong == "pretrained" and "model.options" in valid:
        return f"unknown option '{wrong}': it is one of the network, --model.options '{{pretrained: true}}'"
    if wrong in _FOLDER and "data.sets" in valid:  # of a detector
        return f"unknown option '{wrong}': photos and boxes are named by {_SETS}"
    if wrong.partition(".")[0] in ("kd", "teacher") and "model.arch" in valid and "kd.kind" not in valid:
        return f"unknown option '{wrong}': `distill student` has the options of distillation"
    last = wrong.rpartition(".")[2]
    same = [name for name in valid if name.endswith(f".{wrong}") or name == last != wrong]
    near = min(same, key=len) if same else nearest_name(wrong, valid, _CUTOFF if "." not in wrong else None)
    hint = "see --help" if near is None else f"did you mean '{near}'?"
    return f"unknown option '{wrong}': {hint}"
