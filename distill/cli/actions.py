"""Commands of several actions, such as `distill data ACTION`."""

from collections.abc import Callable, Mapping

from distill.cli.options import options_of, parse
from distill.errors import ConfigError, suggest

# Name -> the function of the action and its positional options.
Actions = Mapping[str, tuple[Callable[..., int], tuple[str, ...]]]


def run_action(command: str, actions: Actions, argv: list[str]) -> int:
    """Run the action that a command line names, or show how they are called.

    Raises:
        ConfigError: no such action.
    """
    if not argv or argv[0] in ("-h", "--help"):
        usages = [f"distill {command} {name} {names[0].upper()} [options]" for name, (_, names) in actions.items()]
        print("\n".join(f"{'       ' if index else 'usage: '}{usage}" for index, usage in enumerate(usages)))
        return 0
    if argv[0] not in actions:
        raise ConfigError(f"unknown action '{command} {argv[0]}': {suggest(argv[0], list(actions))}")
    action, positional = actions[argv[0]]
    description = (action.__doc__ or "").splitlines()[0]
    return action(**parse(options_of(f"{command} {argv[0]}", description, action, *positional), argv[1:], *positional))
