"""Options that each study passes to `distill student`."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from distill.errors import ConfigError
from distill.evaluate.evaluate import View
from distill.geometry import Box
from distill.models.cards import load_cards
from distill.options.parser import options_of, parse
from distill.training.config import StudentConfig
from distill.training.loggers.csv import plain_config
from scripts.studies import (
    ablations,
    cross_format,
    kd_study,
    lite_hrnet_plus,
    network_costs,
    thesis,
    thesis_68,
    weak_labels,
    zoo,
)
from scripts.studies.common import arms
from scripts.studies.common.arms import train, train_arms
from tests.support.checkpoints import write_resumable

ROOT = Path(__file__).parents[2]


def parsed(command: list[str]) -> StudentConfig:
    """Parse what a study runs as `distill student` would."""
    assert command[1:4] == ["-m", "distill", "student"]
    return StudentConfig(**parse(options_of("student", "", StudentConfig), command[4:]))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every training that a study starts; each is finished at once, after as many steps as its seed says."""
    made: list[list[str]] = []

    def finish(command: list[str]) -> int:
        made.append(command)
        config = parsed(command)
        summary = config.runs / config.name / "summary.json"
        summary.parent.mkdir(parents=True)
        summary.write_text(json.dumps({"steps": 100 + config.seed}))
        write_resumable(summary.parent / "last.ckpt")
        (summary.parent / "config.yaml").write_text(yaml.safe_dump(plain_config(config)))
        return 0

    monkeypatch.setattr(arms, "run_stoppable", finish)
    monkeypatch.chdir(ROOT)
    return made


def test_a_run_lies_where_the_study_looks_for_it(commands: list[list[str]], tmp_path: Path) -> None:
    # A configuration has a name of its own, which a name given before it would lose to.
    path = train("arm_0", tmp_path, ["--config", "configs/zoo/efld.yaml", "--kd.kind", "none"])
    config = parsed(commands[0])
    assert (config.name, config.runs) == ("arm_0", tmp_path)
    assert path == tmp_path / "arm_0" / "best.ckpt"
    train("arm_0", tmp_path, ["--config", "configs/zoo/efld.yaml", "--kd.kind", "none"])
    assert len(commands) == 1
    with pytest.raises(ConfigError, match=r"arm_0: --trainer.epochs was \d+, now it is 70"):
        train("arm_0", tmp_path, ["--config", "configs/zoo/efld.yaml", "--kd.kind", "none", "--trainer.epochs", "70"])


def test_a_run_that_was_stopped_is_continued(commands: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "arm_0").mkdir()
    write_resumable(tmp_path / "arm_0" / "last.ckpt")
    with pytest.raises(FileExistsError):  # of the stand-in, which makes the folder
        train("arm_0", tmp_path, ["--config", "configs/zoo/efld.yaml", "--kd.kind", "none"])
    assert parsed(commands[0]).resume


def test_a_training_that_fails_ends_the_study_with_its_status(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(arms, "run_stoppable", lambda command: 143)
    with pytest.raises(SystemExit) as caught:
        train("arm_0", tmp_path, ["--kd.kind", "none"])
    assert caught.value.code == 143


def test_arms_of_unequal_length_are_refused(tmp_path: Path) -> None:
    for arm, steps in (("a", 10), ("b", 11)):
        (tmp_path / f"{arm}_0").mkdir()
        (tmp_path / f"{arm}_0" / "summary.json").write_text(json.dumps({"steps": steps}))
        write_resumable(tmp_path / f"{arm}_0" / "last.ckpt")
    with pytest.raises(SystemExit, match=r"seed 0 .*'a': 10, 'b': 11"):
        train_arms({arm: ["--kd.kind", "none"] for arm in ("a", "b")}, 1, tmp_path)


def test_arms_differ_from_their_baseline_in_what_is_studied_alone(commands: list[list[str]], tmp_path: Path) -> None:
    teacher, start = tmp_path / "teacher.ckpt", tmp_path / "start.ckpt"
    config, data = Path("configs/student_refine.yaml"), tmp_path
    arms = {arm: kd_study.arguments(arm, config, start, teacher, data, 3) for arm in kd_study.ARMS}
    runs = train_arms(arms, 2, tmp_path / "runs")
    assert [len(paths) for paths in runs.values()] == [2] * len(arms)
    runs_by_name = {(c.name, c.seed): c for c in map(parsed, commands)}
    baseline = runs_by_name["none_0", 0]
    for arm in arms:
        config_of_arm = runs_by_name[f"{arm}_1", 1]
        assert config_of_arm.model == baseline.model
        assert config_of_arm.model.init == start
        assert config_of_arm.optim == baseline.optim
        assert config_of_arm.trainer == baseline.trainer
        assert config_of_arm.loss.star == (1 if arm.endswith("star_1") else baseline.loss.star)
        if config_of_arm.kd.kind == "none":
            assert config_of_arm.teacher is None
        else:
            assert config_of_arm.teacher == ([*map(Path, kd_study.ENSEMBLE)] if arm == "ensemble" else [teacher])


def test_weakly_annotated_frames_are_the_same_for_both_arms(commands: list[list[str]], tmp_path: Path) -> None:
    arms = {a: weak_labels.arguments(a, tmp_path / "s", tmp_path / "t", tmp_path, 3) for a in weak_labels.ARMS}
    train_arms(arms, 1, tmp_path / "runs")
    weak, distilled = map(parsed, commands)
    assert weak.kd.kind == "none"
    assert not distilled.kd.supervised
    assert (weak.teacher, distilled.teacher) == (None, [tmp_path / "t"])
    # The distilled arm has no supervised loss.
    for part in ("data", "model", "optim", "trainer", "seed"):
        assert getattr(weak, part) == getattr(distilled, part)


def test_cross_format_arms_see_as_many_main_faces_a_step(commands: list[list[str]], tmp_path: Path) -> None:
    train_arms({arm: cross_format.arguments(arm, tmp_path, 3) for arm in cross_format.BATCH}, 1, tmp_path / "runs")
    single, cross = map(parsed, commands)
    assert (single.data.batch_size, len(single.data.sets)) == (32, 0)
    assert (cross.data.batch_size, len(cross.data.sets)) == (48, 3)
    assert single.optim == cross.optim
    assert single.trainer == cross.trainer


def test_zoo_arms_differ_in_the_teacher_alone(
    commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "RUNS", tmp_path / "runs/zoo")
    for net in zoo.NETS:
        zoo.train_distilled(net, tmp_path, tmp_path / "teacher.ckpt", 3)
        zoo.train_baseline(net, tmp_path, 3)
        distilled, baseline = map(parsed, commands[-2:])
        assert distilled.kd.kind == "coordinate"
        assert baseline.kd.kind == "none"
        # The comparison is from scratch, and needs no hub.
        assert distilled.model.options.get("pretrained", False) is False
        assert replace(distilled.model, init=None) == replace(baseline.model, init=None)
        for config, name in ((distilled, f"{net}_3"), (baseline, f"{net}_3_alone")):
            start = f"{zoo.RUNS}/{name.replace('dan_2', 'dan_1')}/best.ckpt" if net == "dan_2" else None
            assert config.model.init == (start and Path(start))
        assert distilled.data == baseline.data
        assert distilled.optim == baseline.optim
        assert distilled.trainer == baseline.trainer


def test_ablations_repeat_every_published_row(commands: list[list[str]], tmp_path: Path) -> None:
    for paper, (_, reference) in ablations.PAPERS.items():
        configs = ablations.published(paper)
        assert reference in configs
        arms = {config: ablations.arguments(config, tmp_path, 3) for config in configs}
        train_arms(arms, 1, tmp_path / paper)
        made = [parsed(command) for command in commands[-len(configs) :]]
        assert all(config.kd.kind == "none" for config in made)
        assert len({json.dumps(config.model.options, sort_keys=True) for config in made}) == len(configs)
        main_faces = {config.data.batch_size - 16 * bool(config.data.sets) for config in made}
        assert main_faces == {32}


@pytest.mark.parametrize("seeds", [1, 3])
def test_an_ablation_states_differences_of_several_seeds_alone(seeds: int) -> None:
    arms = {"a": {"nme_percent": [4.0] * seeds}, "b": {"nme_percent": [5.0] * seeds}}
    difference = {"mean": 1.0, "low": 0.9, "high": 1.1}
    rows = {arm: {"variant": "v", "nme_percent": 3.0} for arm in arms}
    table = ablations.table({"gt": {"arms": arms, "difference_to_a": {"b": difference}}}, rows, "a")
    assert ("+1.00 (+0.90 to +1.10)" in table) == (seeds > 1)
    assert ("one seed" in table) == (seeds == 1)


def test_costs_of_a_card_are_counted_anew(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["network_costs", "efld"])
    with pytest.raises(SystemExit) as caught:
        network_costs.main()
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| efld | inner51 | 128 px | light: False | 151,322 | 12,449,856 |" in lines
    wrong = replace(load_cards()["efld"].counts[0], macs=1)
    assert "9,562,176 (card: 130,938, 1)" in network_costs.line(wrong, network_costs.counted(wrong))


def test_the_study_shows_its_arms_from_best_to_worst() -> None:
    difference = {"mean": -0.1, "low": -0.2, "high": 0.0, "by_seed": [-0.1, -0.1]}
    nmes = {"none": 3.2, "frames": 3.15, "kl": 3.1, "kl_frames": 3.05}
    arms = {arm: {"nme_percent": [nme, nme], "mean_percent": nme} for arm, nme in nmes.items()}
    beside = {"kl_frames": difference | {"mean": -0.05}}  # whose baseline is not `none`
    to_none = dict.fromkeys(("frames", "kl", "kl_frames"), difference)
    study = {"gt": {"arms": arms, "difference_to_none": to_none, "difference_to_frames": beside}}
    best, second, _, last = kd_study.table(study).splitlines()[2:]
    assert "labels: none` | 3.05, 3.05 | 3.050 | -0.050 (-0.200 to +0.000) (`frames`) |" in best
    assert second == "| `kl` | `--kd.kind kl --kd.weight 10` | 3.10, 3.10 | 3.100 | -0.100 (-0.200 to +0.000) |"
    assert last.startswith("| `none` |")
    assert last.endswith("| – |")
    assert kd_study.plot(study).startswith(b"\x89PNG")


def test_rows_of_lite_hrnet_plus_differ_in_network_and_loss_alone(commands: list[list[str]], tmp_path: Path) -> None:
    rows = {arm: lite_hrnet_plus.arguments(arm, tmp_path, 3) for arm in lite_hrnet_plus.ARMS}
    train_arms(rows, 1, tmp_path / "runs")
    first, *others = made = [parsed(command) for command in commands]
    assert (first.optim.name, first.optim.schedule, first.data.scheme) == ("adam", "step", "ibug68")
    assert first.data.crop.size == 96
    assert first.kd.kind == "none"
    for config in others:
        assert (config.optim, config.data, config.trainer) == (first.optim, first.data, first.trainer)
    assert len({(config.model.arch, config.loss.name) for config in made}) == len(rows)


def test_the_thesis_is_repeated_with_networks_of_the_zoo() -> None:
    assert set(thesis.NETS) <= set(zoo.NETS)
    assert set(thesis_68.NETS) == {*thesis.NETS, "pfld_025_pose", "pfld_100_pose"}


def test_rows_of_the_thesis_on_68_points_are_trained_alike(commands: list[list[str]], tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    for net in thesis_68.NETS:
        train(f"{net}_1", folder, thesis_68.arguments(net, 1, tmp_path, 3, folder))
    rows = {config.name.removesuffix("_1"): config for config in map(parsed, commands)}
    assert set(rows) == set(thesis_68.NETS)
    assert rows["dan_2"].model.init == tmp_path / "runs/dan_1_1/best.ckpt"
    for net, config in rows.items():
        assert (config.kd.kind, config.data.scheme, config.trainer.epochs, config.seed) == ("none", "ibug68", 3, 1)
        assert config.data == rows["dan_1"].data
        assert config.model.options.get("pretrained", False) is False
        if net.startswith("pfld"):
            assert config.model.options["pose"] == net.endswith("_pose")


@pytest.mark.parametrize("grey", [60, 128, 200])
def test_a_filmed_photo_has_the_noise_of_its_electrons(grey: int) -> None:
    photo = np.full((200, 200, 3), grey, np.uint8)
    frame = thesis_68.filmed(View(photo, Box(0, 0, 200, 200)), np.random.default_rng(0)).photo
    linear = (grey / 255) ** thesis_68.GAMMA
    deviation = np.sqrt(thesis_68.FULL_WELL * linear + thesis_68.READ_NOISE**2) / thesis_68.FULL_WELL
    # To first order, a deviation of the light is one of the pixel by the slope of the curve; 1/12 is that of rounding.
    expected = np.hypot(255 / thesis_68.GAMMA * linear ** (1 / thesis_68.GAMMA - 1) * deviation, 12**-0.5)
    assert frame.std() == pytest.approx(expected, rel=0.05)
    assert frame.mean() == pytest.approx(grey, abs=0.2)


def test_zoo_rows_say_which_network_and_how_long() -> None:
    assert zoo.parse_row("dan_1") == ("dan_1", None)
    assert zoo.parse_row("dan_1:60") == ("dan_1", 60)
    for text in ("dan_3", "dan_1:", "dan_1:long", ":60"):
        with pytest.raises(argparse.ArgumentTypeError, match=text):
            zoo.parse_row(text)


def test_zoo_table_has_costs_only_of_what_was_timed_together() -> None:
    nme = {"nme_percent": 4.0}
    boxes = {
        "distilled": nme,
        "baseline": {"nme_percent": 4.5},
        "distilled_minus_baseline_points": {"mean": -0.5, "low": -0.6, "high": -0.4},
    }
    common = {"network": "pfld_025", "gt": boxes, "dataset": boxes, "int8": nme, "bytes": {"fp32": 2000, "int8": 1000}}
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
