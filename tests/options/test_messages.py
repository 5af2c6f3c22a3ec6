"""Messages for wrong values: the option, the value, and what it takes."""

import pytest

from distill.errors import ConfigError, suggest
from distill.export.config import ExportConfig
from distill.options.messages import describe_type
from distill.options.parser import options_of, parse
from distill.training.config import RunConfig
from distill.training.detector_config import DetectorConfig

SETS = "must be a list of mappings, such as --data.sets '[{format: FORMAT, root: ROOT}]'"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trainer.epochs", "1.5"], "--trainer.epochs 1.5: must be a whole number"),
        (["--optim.lr", "high"], "--optim.lr high: must be a number"),
        (["--data.cache", "maybe"], "--data.cache maybe: must be true or false"),
        (["--optim.name", "adamx"], "--optim.name adamx: must be one of adamw, adam, sgd"),
        (["--data.crop.size", "big"], "--data.crop.size big: must be a whole number"),
        (
            ["--data.crop", "5"],
            "--data.crop 5: is a group of options; give one, such as --data.crop.NAME VALUE",
        ),
        (["--seed"], "--seed needs a value: --seed VALUE"),
        (["epochs=3"], "unexpected 'epochs=3': an option is written --name value; see --help"),
        (["--optim.lrr", "1"], "unknown option 'optim.lrr': did you mean 'optim.lr'?"),
        (["--batch_size", "1"], "unknown option 'batch_size': did you mean 'data.batch_size'?"),
        (["--quantise"], "unknown option 'quantise': see --help"),
        (
            ["--pretrained", "true"],
            "unknown option 'pretrained': it is one of the network, --model.options '{pretrained: true}'",
        ),
        *((["--data.sets", name], f"--data.sets {name}: {SETS}") for name in ("nofile", "faces.txt", "a/faces.txt")),
        (
            ["--data.sets", "[{format: csv}]"],
            "--data.sets: root is missing; give it, as in '[{format: FORMAT, root: ROOT}]'",
        ),
        (["--data.cache.size", "3"], "unknown option 'data.cache.size': --data.cache is true or false"),
        (["--kd.kind", "none"], "unknown option 'kd.kind': `distill student` has the options of distillation"),
        (["--qqqqq", "1"], "unknown option 'qqqqq': see --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_value_is_answered_in_words(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(options_of("teacher", "", RunConfig), words)
    assert str(caught.value) == message


def test_an_option_of_a_group_that_may_be_left_out_is_named_whole() -> None:
    """It said: unknown option 'scheme', did you mean 'scheme'?"""
    with pytest.raises(ConfigError) as caught:
        parse(options_of("export", "", ExportConfig), ["--data.scheme", "inner51"])
    assert str(caught.value) == "unknown option 'data.scheme': did you mean 'scheme'?"


@pytest.mark.parametrize("name", ["format", "root", "subset", "preset"])
def test_options_of_faces_lead_a_detector_to_its_sets(name: str) -> None:
    """The nearest name was `data.paste`."""
    with pytest.raises(ConfigError) as caught:
        parse(options_of("detector", "", DetectorConfig), [f"--data.{name}", "csv"])
    assert str(caught.value) == (
        f"unknown option 'data.{name}': photos and boxes are named by --data.sets '[{{labels: FILE, images: FOLDER, "
        "format: wider_label}]'"
    )


def _convert(model: str) -> None:
    """Take a model.

    Args:
        model: a file.
    """


def test_a_missing_word_is_answered_with_the_usage() -> None:
    with pytest.raises(ConfigError, match=r"^MODEL is missing: distill export \[MODEL\] \[options\]$"):
        parse(options_of("export", "", _convert, "model"), [], "model")


def test_types_of_unknown_form_keep_their_name() -> None:
    assert describe_type("<class 'pathlib.Path'>") == "pathlib.Path"
    assert describe_type("typing.Literal['gt', 2]") == "one of gt, 2"


def test_suggestions_prefer_the_name_that_was_begun() -> None:
    names = ["student_128", "student_68_128", "teacher_128"]
    assert suggest("student_68", names).startswith("did you mean 'student_68_128'? valid: student_128,")
    assert suggest("zzz", names) == "valid: student_128, student_68_128, teacher_128"
    many = [f"network_{index}" for index in range(30)]
    assert suggest("network_1x", many) == "did you mean 'network_1'?", "a list of thirty hides the suggestion"
