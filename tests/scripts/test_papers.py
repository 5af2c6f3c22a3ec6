"""Tables and figures of the papers: none is missing, every number of ours is that of its result, commands exist."""

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.data.readers import parse_subsets, read_faces
from distill.data.synthetic import write_faces
from distill.options.parser import options_of, parse
from distill.training.config import StudentConfig
from distill.training.fit import train_student
from scripts.studies.common.marked_blocks import ROOT
from scripts.studies.papers.contents import (
    PAPERS,
    Paper,
    load_paper,
    path_of,
    read_paper,
    value_of,
)
from scripts.studies.papers.page import block, commands, summary, table
from tests.support.reader_cases import make_pts

# By hand from the texts: number of figures, and by table the number of its rows and of its cells with a number. The
# tables of the first paper are known by single numbers; cells that no text at hand holds are not counted.
CONTENTS: dict[str, tuple[int, dict[str, tuple[int, int]]]] = {
    "swinv2_mobilevitv2": (1, {"table 1": (6, 5), "table 2": (6, 5), "table 3": (6, 5)}),
    "efld": (2, {"table 1": (3, 6), "table 2": (4, 20)}),
    "lite_hrnet_plus": (5, {"table 1": (12, 156), "table 2a": (4, 8), "table 2b": (2, 4)}),
    "thesis": (
        25,
        {
            "table 1": (10, 10), "table 2": (5, 15), "table 3": (3, 0), "table 4": (5, 15), "table 5": (4, 12),
            "table 6": (5, 15), "table 7": (9, 9), "table 8": (5, 45), "table 9": (5, 20),
        },
    ),
    "retinaface_mobilenetv2": (4, {"table 1": (2, 10), "table 2": (1, 2), "table 3": (2, 8), "table 4": (2, 12)}),
}  # fmt: skip
# By hand from the texts: points, curves and panels of the figures that show measurements.
THESIS_NETS = ("PFLD 0.25", "PFLD 1.0", "DAN-1", "DAN-2", "HRNet")
SERIES: dict[tuple[str, str], tuple[str, ...]] = {
    ("lite_hrnet_plus", "figure 2"): ("stem", "conditional channel weighting", "transition", "fusion", "head"),
    ("lite_hrnet_plus", "figure 5"): (
        "HRNetV2-W18", "MobileNetV2", "ShuffleNetV2", "Lite-HRNet", "Dite-HRNet", "Wing (MobileNetV2)",
        "PIPNet (MobileNetV3), 56 M", "PIPNet (MobileNetV3), 11 M", "Plus, MSE, 30 M", "Plus, MSE, 10 M",
        "Plus, BCE, 30 M", "Plus, BCE, 10 M", "WFLW panel",
    ),
    ("thesis", "figure 10"): (
        *THESIS_NETS, "synthetic occlusion", "occlusion", "extreme expression", "extreme lighting", "female", "male",
        "young", "old", "dark skin", "white skin", "extreme pose, %",
    ),
    ("thesis", "figure 15"): (*THESIS_NETS, "as they are", "x 2", "x 3", "x 4"),
    ("thesis", "figure 16"): (*THESIS_NETS, "x 8", "x 16", "x 32", "x 64"),
    ("thesis", "figure 18"): (*THESIS_NETS, "as they are", "x 2", "x 3", "x 4"),
    ("thesis", "figure 19"): (*THESIS_NETS, "x 8", "x 16", "x 32", "x 64"),
    ("thesis", "figure 20"): (
        *THESIS_NETS, "float32, 1 thread", "int8, 1 thread", "desktop GPU", "Huawei P30 Pro, CPU",
        "Huawei P30 Pro, GPU", "LG Velvet 5G, CPU", "LG Velvet 5G, GPU", "quantized, CPU of both phones",
    ),
    ("thesis", "figure 25"): (*THESIS_NETS, "ms on a desktop GPU, about", "DSP of the LG Velvet 5G"),
}  # fmt: skip
RUNNABLE: dict[str, Any] = {"state": "runnable", "missing": {"data": "x"}, "columns": []}
MODULES = [words for name in PAPERS for words in commands(load_paper(name)) if words[0] == "python"]


def written(tmp_path: Path, **changes: Any) -> Path:
    """Write a paper of one part, and return its file."""
    part = {"state": "reproduced", "command": "true", "rows": {"a": "x"}, "columns": [{"name": "n", "ours": "f#{key}"}]}
    part = {name: value for name, value in {**part, **changes}.items() if value is not None}
    content = {"title": "T", "source": "S", "sections": [{"items": ["table 1"], "title": "t", "parts": [part]}]}
    path = tmp_path / "paper.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_every_paper_with_a_file_has_a_page() -> None:
    assert set(PAPERS) == set(CONTENTS) == {path.stem for path in (ROOT / "scripts/studies/papers").glob("*.yaml")}
    for name in PAPERS:
        assert f"<!-- {path_of(name)}:begin -->" in (ROOT / f"docs/explanation/papers/{name}.md").read_text()


@pytest.mark.parametrize("name", PAPERS)
def test_no_table_and_no_figure_is_missing(name: str) -> None:
    figures, tables = CONTENTS[name]
    items = [item for section in load_paper(name).sections for item in section.items]
    assert sorted(items) == sorted([*tables, *(f"figure {number}" for number in range(1, figures + 1))])


@pytest.mark.parametrize("name", PAPERS)
def test_no_row_and_no_number_of_a_table_is_missing(name: str) -> None:
    _, tables = CONTENTS[name]
    for section in load_paper(name).sections:
        rows = {row for part in section.parts for row in part.rows}
        cells = [value for part in section.parts for column in part.columns for value in column.published]
        known = (len(rows), sum(value is not None for value in cells))
        for item in section.items:
            assert known == tables.get(item, known), item


@pytest.mark.parametrize(("name", "figure"), SERIES)
def test_no_series_of_a_figure_is_missing(name: str, figure: str) -> None:
    (section,) = (section for section in load_paper(name).sections if figure in section.items)
    rows = {row for part in section.parts for row in part.rows}
    columns = {column.name for part in section.parts for column in part.columns}
    assert set(SERIES[name, figure]) <= rows | columns


@pytest.mark.parametrize("name", PAPERS)
def test_what_is_reproduced_or_measured_has_a_number_in_every_row(name: str) -> None:
    for section in load_paper(name).sections:
        for part in section.parts:
            if part.state == "reproduced" or part.measured:
                columns = [column for column in part.columns if column.ours]
                for row in part.rows:
                    assert [part.ours(column, row) for column in columns], (section.items, row)


def test_a_number_of_a_page_is_that_of_its_result() -> None:
    # Read apart from the code that makes the page.
    dan = json.loads((ROOT / "results/studies/thesis.json").read_text())["networks"]["dan_1"]
    page = (ROOT / "docs/explanation/papers/thesis.md").read_text()
    assert f"| DAN-1 | 3.69 | {dan['gt_percent']:.2f} |" in page
    video = dan["jitter"]["video"]["fixed_box_percent"]
    assert f"| DAN-1 | 0.29 | {video:.2f} |" in page
    cards = yaml.safe_load((ROOT / "distill/models/cards/efld.yaml").read_text())
    assert (
        f"| EFLD | 19.1 | {2e-6 * cards['counts'][0]['macs']:.1f} |"
        in (ROOT / "docs/explanation/papers/efld.md").read_text()
    )


def test_paths_select_keys_indices_and_entries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("scripts.studies.papers.contents.ROOT", tmp_path)
    content = {"a": [1, 2], "b": [{"name": "x", "t": 1, "ms": 3.5}, {"name": "x", "t": 2, "ms": 2}]}
    (tmp_path / "path_cases.json").write_text(json.dumps(content))
    assert value_of("path_cases.json#a/1") == 2
    assert value_of("path_cases.json#b/name=x,t=1/ms") == 3.5
    for path, message in {
        "no_such.json#a": "no_such.json does not exist",
        "path_cases.json#c": "no c",
        "path_cases.json#a/2": "no 2",
        "path_cases.json#b/name=x/ms": "2 entries are name=x, not one",
        "path_cases.json#b/name=y/ms": "0 entries are name=y",
    }.items():
        with pytest.raises(LookupError, match=message):
            value_of(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": "silent"}, "'silent' is none of reproduced, runnable, not planned"),
        ({"state": "measured"}, "'measured' is none of reproduced, runnable, not planned"),
        ({"command": None}, "reproduced needs `command`"),
        ({"missing": {"data": "x"}}, "reproduced has no `missing`"),
        ({"measured": {"limits": "x"}}, "reproduced has no `measured`"),
        ({"columns": [{"name": "n", "published": [1.0]}]}, "have a column with `ours`"),
        ({"state": "runnable", "missing": {"data": "x"}}, "have a column with `ours`"),
        ({**RUNNABLE, "measured": {"limits": "x"}}, "have a column with `ours`"),
        ({**RUNNABLE, "missing": {"time": "x"}}, "one of data, device, training, not 'time'"),
        ({"state": "runnable", "columns": []}, "runnable needs `missing`"),
        ({"state": "not planned", "columns": [], "command": None}, "not planned needs `reason`"),
        ({"columns": [{"name": "n", "ours": "f#{key}", "published": [1.0, 2.0]}]}, "2 numbers of 'n' for 1 rows"),
    ],
)
def test_parts_without_what_their_state_needs_are_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    read_paper(written(tmp_path))
    with pytest.raises(ValueError, match=message):
        read_paper(written(tmp_path, **changes))


def test_published_and_our_numbers_stand_side_by_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("scripts.studies.papers.contents.ROOT", tmp_path)
    (tmp_path / "side_cases.json").write_text('{"x": 1500, "y": 2500}')
    columns = [{"name": "n", "published": [1.4, None], "ours": "side_cases.json#{key}", "factor": 0.001, "digits": 1}]
    paper: Paper = read_paper(written(tmp_path, rows={"a": "x", "b": "y"}, columns=columns))
    assert table(paper.sections[0].parts[0]).splitlines() == [
        "| row | n, published | n, ours |",
        "|---|---:|---:|",
        "| a | 1.4 | 1.5 |",
        "| b | – | 2.5 |",
    ]


def test_the_summary_counts_every_state() -> None:
    lines = summary().splitlines()
    assert lines[0] == "| paper | tables, figures | reproduced | runnable | of these measured here | not planned |"
    assert len(lines) == 2 + len(PAPERS)
    for line in lines[2:]:
        _, runnable, measured, _ = map(int, line.split("|")[3:7])
        assert measured <= runnable


def test_a_measured_part_says_what_is_missing_and_why_its_numbers_do_not_compare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("scripts.studies.papers.contents.ROOT", tmp_path)
    (tmp_path / "measured_cases.json").write_text('{"x": 1}')
    columns = [{"name": "n", "ours": "measured_cases.json#{key}"}]
    missing = {"data": "the set", "training": "a GPU"}
    measured = {"limits": "half of it", "command": "half"}
    path = written(tmp_path, state="runnable", command="a\nb", missing=missing, measured=measured, columns=columns)
    content = yaml.safe_load(path.read_text())
    content["sections"][0]["parts"] *= 2
    path.write_text(yaml.safe_dump(content))
    monkeypatch.setattr("scripts.studies.papers.page.load_paper", lambda _: read_paper(path))
    once = "**Measured here**, not comparable with the published numbers: half of it. By:\n\n```bash\nhalf\n```"
    runnable = "**Runnable**, missing here: *data*: the set; *training*: a GPU."
    first, second = block("paper").split("| row | n, ours |")[1:]
    assert f"{runnable} By:\n\n```bash\na\nb\n```\n\n{once}" in first
    # Scripts of several lines are shown once in a section.
    assert f"{runnable} By the commands above.\n\n{once}" in second


class _ParsedError(Exception):
    """The command line was accepted."""


@pytest.mark.parametrize("words", MODULES, ids=" ".join)
def test_shown_python_commands_parse(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert words[:2] == ["python", "-m"]
    original: Callable[..., argparse.Namespace] = argparse.ArgumentParser.parse_args

    def parse_args(self: argparse.ArgumentParser, *args: Any) -> argparse.Namespace:
        original(self, *args)
        raise _ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.setattr(sys, "argv", words[2:])
    with pytest.raises(_ParsedError):
        importlib.import_module(words[2]).main()


def test_an_unknown_paper_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.studies.papers", "no_paper"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "'no_paper' is none of swinv2_mobilevitv2, efld" in done.stderr


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faces") / "faces"
    write_faces(root, 6, seed=0, size=96, subsets={"train": 0.5, "val": 0.5})
    return root


@pytest.mark.parametrize("arch", ["lite_hrnet_plus_10m", "timm:mobilenetv2_100"])
def test_the_recipe_of_lite_hrnet_plus_trains(arch: str, faces: Path, tmp_path: Path) -> None:
    words = [
        "--config", "configs/zoo/lite_hrnet_plus_300w.yaml", "--model.arch", arch, "--runs", str(tmp_path / "runs"),
        "--data.preset", "null", "--data.format", "manifest", "--data.root", str(faces),
        "--data.subset", "train", "--data.val_subset", "val", "--data.batch_size", "2", "--data.workers", "0",
        "--trainer.epochs", "1", "--trainer.validate_every", "1", "--log.wandb", "disabled",
    ]  # fmt: skip
    config = StudentConfig(**parse(options_of("student", "", StudentConfig), words))
    assert (config.optim.name, config.optim.schedule, config.data.scheme) == ("adam", "step", "ibug68")
    train_student(config)
    assert (tmp_path / "runs/lite_hrnet_plus_300w/best.ckpt").is_file()


def test_the_recipe_of_efld_reads_menpo_with_its_profiles(tmp_path: Path) -> None:
    make_pts(tmp_path)
    config = StudentConfig(
        **parse(options_of("student", "", StudentConfig), ["--config", "configs/zoo/efld_paper.yaml"])
    )
    menpo = next(entry for entry in config.data.sets if entry.format == "menpo")
    faces = read_faces("menpo", tmp_path, parse_subsets(menpo.subset), menpo.scheme)
    assert [face.name for face in faces] == ["menpo/a"]


def test_the_rate_of_lite_hrnet_plus_falls_after_170_and_200_epochs() -> None:
    words = ["--config", "configs/zoo/lite_hrnet_plus_paper.yaml"]
    config = StudentConfig(**parse(options_of("student", "", StudentConfig), words))
    falls = [round(share * config.trainer.epochs, 1) for share in config.optim.milestones_or_default]
    assert falls == [170, 200]
