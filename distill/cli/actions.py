"""Commands of several actions, such as `distill data ACTION`."""

from collections.abc import Callable, Mapping

from distill.errors import ConfigError, suggest
from distill.options.parser import options_of, parse, shown_positional

# Name -> the function of the action and its positional options.
Actions = Mapping[str, tuple[Callable[..., int], tuple[str, ...]]]


def run_action(command: str, actions: Actions, argv: list[str]) -> int:
    """Run the action that a command line names, or show how they are called.

    Raises:
        ConfigError: no such action.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(_help(command, actions))
        return 0
    if argv[0] not in actions:
        raise ConfigError(f"unknown action '{command} {argv[0]}': {suggest(argv[0], list(actions))}")
    action, positional = actions[argv[0]]
    description = _first_line(action)
    return action(**parse(options_of(f"{command} {argv[0]}", description, action, *positional), argv[1:], *positional))


def _help(command: str, actions: Actions) -> str:
    """Return how the actions of a command are called and what each does."""
    usages = [" ".join([name, *map(shown_positional, names)]) for name, (_, names) in actions.items()]
    width = max(map(len, usages))
    lines = [
        f"  {usage:{width}}  {_first_line(action)}" for usage, (action, _) in zip(usages, actions.values(), strict=True)
    ]
    head = f"usage: distill {command} ACTION ... [options]"
    return "\n".join([head, "", *lines, "", f"`distill {command} ACTION --help` shows the options of one action."])


def _first_line(action: Callable[..., int]) -> str:
    return (action.__doc__ or "").splitlines()[0].rstrip(".")
