"""Recipes in stages: the options of several trainings, each of which goes on from the one before."""

from collections.abc import Mapping
from typing import Any

from jsonargparse import ArgumentParser

from distill.errors import ConfigError
from distill.options.parser import compose, parsed_values
from distill.options.recipes import STAGES, expanded, merge
from distill.options.words import explicit_options

# What a stage cannot set: its name and weights follow from the stage before, the others belong to one start of the run.
_OF_THE_RUN = ("name", "runs", "seed", "resume", "accept_data", "plugin", "model.init")


def parse_stages(parser: ArgumentParser, argv: list[str]) -> list[dict[str, Any]]:
    """Return the keyword arguments for the parser's target, once for each stage of the recipe; once if it has none.

    `stages` is a list of mappings of options. Each is merged over the rest of the recipe, and the command line wins
    over all of them. Options of distillation on the command line are for the stages that distil.

    Raises:
        ConfigError: as `parse`; or stages that are no list of mappings or set what belongs to the whole run.
    """
    given = compose(parser, argv)
    typed = explicit_options(argv)
    recipe = {name: value for name, value in given.recipe.items() if name != STAGES}
    stages = _required_stages(given.recipe.get(STAGES, [{}]))
    merged = [given.over(merge(recipe, stage, given.free)) for stage in stages]
    distilled = [_kind(stage) != "none" for stage in merged]
    found = []
    for index, stage in enumerate(merged):
        left_out = ["model.init"] if index else []
        if any(distilled) and not distilled[index]:
            left_out += ["teacher", "kd."]
        words = _without(given.words, tuple(left_out))
        found.append(parsed_values(parser, stage, words, [name for name in typed if f"--{name}" in words]))
    return found


def _required_stages(stages: object) -> list[dict[str, Any]]:
    """Return the options of every stage, nested.

    Raises:
        ConfigError: no list of mappings, an empty one, or an option that belongs to the whole run.
    """
    if not (isinstance(stages, list) and stages and all(isinstance(stage, Mapping) for stage in stages)):
        raise ConfigError(f"{STAGES} must be a list of mappings of options, one a stage, not {stages!r}")
    nested = [expanded(stage) for stage in stages]
    for number, stage in enumerate(nested, 1):
        for name in _OF_THE_RUN:
            group, _, option = name.partition(".")
            value = stage.get(group, {})
            if group in stage and (not option or (isinstance(value, Mapping) and option in value)):
                why = "stages start from the weights of the one before" if option else "give it beside the stages"
                raise ConfigError(f"{STAGES}: stage {number} sets {name}, which belongs to the whole run: {why}")
    return nested


def _kind(stage: Mapping[str, Any]) -> str | None:
    kd = stage.get("kd")
    return kd.get("kind") if isinstance(kd, Mapping) else None


def _without(words: list[str], prefixes: tuple[str, ...]) -> list[str]:
    """Return a command line without the options that begin with one of the prefixes, and their values."""
    kept: list[str] = []
    skipping = False
    for word in words:
        if word.startswith("--"):
            skipping = word.removeprefix("--").startswith(prefixes)
        if not skipping:
            kept.append(word)
    return kept
