"""What the studies of scripts/reproduce ask `distill student` for."""

import argparse
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import ablations
import cross_format
import kd_study
import pytest
import thesis
import weak_labels
import yaml
import zoo
from studies import train, train_arms

from distill.cli.options import options_of, parse
from distill.errors import ConfigError
from distill.training.config import StudentConfig
from distill.training.loggers.csv import plain_config

ROOT = Path(__file__).parents[2]


def asked(command: list[str]) -> StudentConfig:
    """Parse what a study runs as `distill student` would."""
    assert command[1:4] == ["-m", "distill", "student"]
    return StudentConfig(**parse(options_of("student", "", StudentConfig), command[4:]))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every training that a study starts; each is finished at once, after as many steps as its seed says."""
    made: list[list[str]] = []

    def finish(command: list[str], check: bool) -> None:
        made.append(command)
        config = asked(command)
        summary = config.runs / config.name / "summary.json"
        summary.parent.mkdir(parents=True)
        summary.write_text(json.dumps({"steps": 100 + config.seed}))
        (summary.parent / "last.ckpt").touch()
        (summary.parent / "config.yaml").write_text(yaml.safe_dump(plain_config(config)))

    monkeypatch.setattr(subprocess, "run", finish)
    monkeypatch.chdir(ROOT)
    return made


def test_a_run_lies_where_the_study_looks_for_it(commands: list[list[str]], tmp_path: Path) -> None:
    # A configuration has a name of its own, which a name given before it would lose to.
    path = train("arm_0", tmp_path, ["--config", "configs/zoo/efld.yaml", "--kd.kind", "none"])
    config = asked(commands[0])
    assert (config.name, config.runs) == ("arm_0", tmp_path)
    assert path == tmp_path / "arm_0" / "best.ckpt"
    train("arm_0", tmp_path, ["--config", "configs/zoo/efld.yaml", "--kd.kind", "none"])
    assert len(commands) == 1
    with pytest.raises(ConfigError, match=r"arm_0: --trainer.epochs was \d+, now it is 70"):
        train("arm_0", tmp_path, ["--config", "configs/zoo/efld.yaml", "--kd.kind", "none", "--trainer.epochs", "70"])


def test_a_run_that_was_stopped_is_continued(commands: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "arm_0").mkdir()
    (tmp_path / "arm_0" / "last.ckpt").touch()
    with pytest.raises(FileExistsError):  # of the stand-in, which makes the folder
        train("arm_0", tmp_path, ["--config", "configs/zoo/efld.yaml", "--kd.kind", "none"])
    assert asked(commands[0]).resume


def test_arms_of_unequal_length_are_refused(tmp_path: Path) -> None:
    for arm, steps in (("a", 10), ("b", 11)):
        (tmp_path / f"{arm}_0").mkdir()
        (tmp_path / f"{arm}_0" / "summary.json").write_text(json.dumps({"steps": steps}))
        (tmp_path / f"{arm}_0" / "last.ckpt").touch()
    with pytest.raises(SystemExit, match=r"seed 0 .*'a': 10, 'b': 11"):
        train_arms({arm: ["--kd.kind", "none"] for arm in ("a", "b")}, 1, tmp_path)


def test_arms_differ_from_their_twin_in_what_is_studied_alone(commands: list[list[str]], tmp_path: Path) -> None:
    teacher, start = tmp_path / "teacher.ckpt", tmp_path / "start.ckpt"
    config, data = Path("configs/student.yaml"), tmp_path
    arms = {arm: kd_study.arguments(arm, config, start, teacher, data, 3) for arm in kd_study.ARMS}
    runs = train_arms(arms, 2, tmp_path / "runs")
    assert [len(paths) for paths in runs.values()] == [2] * len(arms)
    seen = {(c.name, c.seed): c for c in map(asked, commands)}
    twin = seen["none_0", 0]
    for arm in arms:
        config_of_arm = seen[f"{arm}_1", 1]
        assert config_of_arm.model == twin.model
        assert config_of_arm.model.init == start
        assert config_of_arm.optim == twin.optim
        assert config_of_arm.trainer == twin.trainer
        assert config_of_arm.loss.star == (1 if arm.endswith("star_1") else twin.loss.star)
        if config_of_arm.kd.kind == "none":
            assert config_of_arm.teacher is None
        else:
            assert config_of_arm.teacher == ([*map(Path, kd_study.ENSEMBLE)] if arm == "ensemble" else [teacher])


def test_weakly_annotated_frames_are_the_same_for_both_arms(commands: list[list[str]], tmp_path: Path) -> None:
    arms = {a: weak_labels.arguments(a, tmp_path / "s", tmp_path / "t", tmp_path, 3) for a in weak_labels.ARMS}
    train_arms(arms, 1, tmp_path / "runs")
    weak, taught = map(asked, commands)
    assert weak.kd.kind == "none"
    assert not taught.kd.supervised
    assert (weak.teacher, taught.teacher) == (None, [tmp_path / "t"])
    for part in ("data", "model", "loss", "optim", "trainer", "seed"):
        assert getattr(weak, part) == getattr(taught, part)


def test_cross_format_arms_see_as_many_main_faces_a_step(commands: list[list[str]], tmp_path: Path) -> None:
    train_arms({arm: cross_format.arguments(arm, tmp_path, 3) for arm in cross_format.BATCH}, 1, tmp_path / "runs")
    single, cross = map(asked, commands)
    assert (single.data.batch_size, len(single.data.sets)) == (32, 0)
    assert (cross.data.batch_size, len(cross.data.sets)) == (48, 3)
    assert single.optim == cross.optim
    assert single.trainer == cross.trainer


def test_zoo_arms_differ_in_the_teacher_alone(
    commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "RUNS", tmp_path / "runs/zoo")
    for net in zoo.NETS:
        zoo.train_taught(net, tmp_path, tmp_path / "teacher.ckpt", 3)
        zoo.train_alone(net, tmp_path, 3)
        taught, alone = map(asked, commands[-2:])
        assert taught.kd.kind == "coordinate"
        assert alone.kd.kind == "none"
        assert replace(taught.model, init=None) == replace(alone.model, init=None)
        for config, name in ((taught, f"{net}_3"), (alone, f"{net}_3_alone")):
            start = f"{zoo.RUNS}/{name.replace('dan_2', 'dan_1')}/best.ckpt" if net == "dan_2" else None
            assert config.model.init == (start and Path(start))
        assert taught.data == alone.data
        assert taught.optim == alone.optim
        assert taught.trainer == alone.trainer


def test_ablations_repeat_every_published_row(commands: list[list[str]], tmp_path: Path) -> None:
    for paper, (_, reference) in ablations.PAPERS.items():
        configs = ablations.published(paper)
        assert reference in configs
        arms = {config: ablations.arguments(config, tmp_path, 3) for config in configs}
        train_arms(arms, 1, tmp_path / paper)
        made = [asked(command) for command in commands[-len(configs) :]]
        assert all(config.kd.kind == "none" for config in made)
        assert len({json.dumps(config.model.options, sort_keys=True) for config in made}) == len(configs)
        main_faces = {config.data.batch_size - 16 * bool(config.data.sets) for config in made}
        assert main_faces == {32}


def test_the_study_shows_its_arms_from_best_to_worst() -> None:
    difference = {"mean": -0.1, "low": -0.2, "high": 0.0, "by_seed": [-0.1, -0.1]}
    nmes = {"none": 3.2, "frames": 3.15, "kl": 3.1, "kl_frames": 3.05}
    arms = {arm: {"nme_percent": [nme, nme], "mean_percent": nme} for arm, nme in nmes.items()}
    beside = {"kl_frames": difference | {"mean": -0.05}}  # whose twin is not `none`
    to_none = dict.fromkeys(("frames", "kl", "kl_frames"), difference)
    study = {"gt": {"arms": arms, "difference_to_none": to_none, "difference_to_frames": beside}}
    best, second, _, twin = kd_study.table(study).splitlines()[2:]
    assert "labels: none` | 3.05, 3.05 | 3.050 | -0.050 (-0.200 to +0.000) (`frames`) |" in best
    assert second == "| `kl` | `--kd.kind kl --kd.weight 10` | 3.10, 3.10 | 3.100 | -0.100 (-0.200 to +0.000) |"
    assert twin.startswith("| `none` |")
    assert twin.endswith("| – |")
    assert kd_study.plot(study).startswith(b"\x89PNG")


def test_thesis_numbers_are_those_of_its_tables() -> None:
    assert thesis.published("pfld_025", "gt") == 4.027
    assert thesis.published("hrnet_w18", "MTCNN") == 4.018
    assert set(thesis.NETS) == set(thesis.TABLE_8) == set(thesis.TABLE_9) <= set(zoo.NETS)


def test_zoo_rows_say_which_network_and_how_long() -> None:
    assert zoo.parse_row("dan_1") == ("dan_1", None)
    assert zoo.parse_row("dan_1:60") == ("dan_1", 60)
    for text in ("dan_3", "dan_1:", "dan_1:long", ":60"):
        with pytest.raises(argparse.ArgumentTypeError, match=text):
            zoo.parse_row(text)


def test_zoo_table_has_costs_only_of_what_was_timed_together() -> None:
    nme = {"nme_percent": 4.0}
    boxes = {
        "kd": nme,
        "alone": {"nme_percent": 4.5},
        "kd_minus_alone_points": {"mean": -0.5, "low": -0.6, "high": -0.4},
    }
    common = {"network": "pfld_025", "gt": boxes, "det": boxes, "int8": nme, "bytes": {"fp32": 2000, "int8": 1000}}
    rows = {"pfld_025_10": {**common, "epochs": 10}, "pfld_025_60": {**common, "epochs": 60}}
    files = zoo.file_names("pfld_025_10").values()
    timed = {
        "models": [{"name": file, "macs": 76_000_000} for file in files],
        "times": [{"name": file, "part": "model", "threads": 1, "ratio": 0.5, "score": None} for file in files],
    }
    first, second = zoo.table(rows, timed).splitlines()[2:]
    assert first == (
        "| `pfld_025` | 10 | 4.00 | 4.50 | -0.50 (-0.60 to -0.40) | 4.00 | 4.00 | 3.03 | 76.0 | 2, 1 | 0.50, 0.50 | – |"
    )
    assert second.endswith("| 3.03 | – | 2, 1 | – | – |")
