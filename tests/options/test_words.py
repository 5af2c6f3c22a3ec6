"""Words of a command line."""

from distill.options.words import explicit_options, take_options


def test_explicit_options_are_those_of_the_line() -> None:
    argv = ["--config", "student", "--kd.kind", "none", "--optim.lr=1", "--resume", "--name", "a"]
    assert explicit_options(argv) == {"kd.kind": "none", "optim.lr": "1", "resume": "", "name": "a"}


def test_options_are_taken_out_in_order() -> None:
    argv = ["--config", "a", "--seed", "1", "--config=b", "--flag", "--config"]
    assert take_options(argv, ("config",)) == (
        [("config", "a"), ("config", "b")],
        ["--seed", "1", "--flag", "--config"],
    )
