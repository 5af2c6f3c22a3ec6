"""Commands of the papers: they need no more than is said, and cover every row that they stand under."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from distill.data.readers import read_faces
from distill.options.parser import options_of
from distill.options.stages import parse_stages
from distill.training.config import RunConfig, StudentConfig
from scripts.studies.common.code_blocks import written_out
from scripts.studies.papers.contents import PAPERS, Part, load_paper, value_of
from scripts.studies.papers.page import lines_of
from tests.support.annotation_writers import write_pts
from tests.support.reader_cases import random_points, write_photo

PARTS = {
    f"{name}, {section.items[0]}, part {index}": part
    for name in PAPERS
    for section in load_paper(name).sections
    for index, part in enumerate(section.parts)
}
TRAINERS = {"teacher": RunConfig, "student": StudentConfig}
every_part = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
SEEDS = {1: "one seed", 3: "three seeds"}


def distill_lines(part: Part) -> list[list[str]]:
    """The words of each command of the program `distill`, without its name."""
    return [shlex.split(line)[1:] for line in lines_of(part) if line.startswith("distill ")]


def seeds_of(path: str) -> int:
    """Return how many trainings a mean NME of a study is of."""
    count = 0
    try:
        while value_of(f"{path.removesuffix('mean_percent')}nme_percent/{count}"):
            count += 1
    except LookupError:
        pass
    return count


@every_part
def test_pretrained_weights_that_a_command_takes_from_the_hub_are_named(part: Part) -> None:
    for name, *words in distill_lines(part):
        if name in TRAINERS:
            for values in parse_stages(options_of(name, "", TRAINERS[name]), words):
                if values["model"].options.get("pretrained"):
                    assert "ImageNet's weights" in (part.missing or {}).get("data", ""), words


@every_part
def test_a_command_that_names_the_run_of_one_row_names_those_of_all(part: Part) -> None:
    text = "\n".join(" ".join(words) for words in distill_lines(part))
    keys = {str(keys["key"]) for keys in part.rows.values() if "key" in keys}
    named = {key for key in keys if re.search(rf"(?<![a-z0-9]){re.escape(key)}(?![a-z0-9])", text)}
    assert named in (set(), keys)


@every_part
def test_faces_of_a_folder_without_official_split_are_chosen(part: Part) -> None:
    for name, *words in distill_lines(part):
        if name in ("evaluate", "data") and "--data.format" in words:
            assert "--data.subset" in words, words


@every_part
def test_errors_say_how_many_seeds_they_are_of(part: Part) -> None:
    for path in {column.ours.format(**keys) for column in part.columns if column.ours for keys in part.rows.values()}:
        limits = part.measured.limits if part.measured else ""
        if path.endswith("/mean_percent"):
            assert SEEDS[seeds_of(path)] in limits, path
        elif path.startswith("results/studies/thesis.json"):
            assert SEEDS[1] in limits, path


@every_part
def test_training_that_is_missing_has_its_cost(part: Part) -> None:
    if training := (part.missing or {}).get("training"):
        assert re.search(r"[0-9.]+ core-hours|a GPU", training)


@every_part
def test_a_command_that_trains_has_its_training_named(part: Part) -> None:
    trains = any(name in (*TRAINERS, "detector") for name, *_ in distill_lines(part)) or "--train " in str(part.command)
    assert not trains or "training" in (part.missing or {})


@every_part
def test_a_command_for_a_phone_or_a_gpu_has_it_named(part: Part) -> None:
    if "--target" in str(part.command):
        assert re.search(r"phone|GPU", (part.missing or {})["device"])


@every_part
def test_detectors_have_a_fixed_input_on_a_device(part: Part) -> None:
    # A file without has the 160 px that it was traced with, and benchmark_model would time these.
    exports = [words for words in distill_lines(part) if words[0] == "export" and "retinaface" in words[1]]
    if "--target adb" in str(part.command):
        assert all("--decoded" in words for words in exports)


@every_part
def test_shells_accept_the_commands(part: Part) -> None:
    subprocess.run(["bash", "-n"], input=part.command or "", text=True, check=True)


def test_loops_and_variables_are_written_out() -> None:
    lines = ["a", 'y="1 2"', "b $y", "c='{d: 1}'", 'e "$c"']
    assert written_out(lines) == ["a", "b 1 2", 'e "{d: 1}"']
    lines = ["a", "for x in 1 2; do", "  for y in p q; do", "    b $x ${y}_z $xy", "  done", "  c $x", "done", "d"]
    made = ["a", "b 1 p_z $xy", "b 1 q_z $xy", "c 1", "b 2 p_z $xy", "b 2 q_z $xy", "c 2", "d"]
    assert written_out(lines) == made
    with pytest.raises(ValueError, match="without `done`"):
        written_out(lines[:5])


@pytest.mark.parametrize(("folder", "step"), [("IVSFD_10", 10), ("IVSFD_2", 2)])
def test_photos_are_held_out_at_equal_steps(folder: str, step: int, tmp_path: Path) -> None:
    for index in range(21):
        labels = tmp_path / "data/IVSFD" / ("afw" if index < 12 else "helen") / "labels"
        labels.mkdir(parents=True, exist_ok=True)
        write_pts(labels / f"{index:02}_1.pts", random_points(51))
        write_photo(labels.parent / "images" / f"{index:02}_1.jpg")
    (script,) = {
        str(part.command).partition("distill ")[0]
        for part in PARTS.values()
        if f"to=data/{folder}/" in str(part.command)
    }
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, check=True)
    found = {part: read_faces("ivsfd", tmp_path / "data" / folder, [part], "inner51") for part in ("train", "val")}
    assert [Path(face.name).name for face in found["val"]] == [f"{index:02}_1" for index in range(0, 21, step)]
    assert len(found["train"]) + len(found["val"]) == 21
