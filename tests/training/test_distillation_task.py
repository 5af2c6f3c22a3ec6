"""Every option of distillation trains, is what it says, and resumes to the bit."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from distill.data.build import build_data
from distill.data.config import SetConfig
from distill.errors import ConfigError
from distill.geometry import CropSpec
from distill.losses.config import CacheConfig
from distill.models import create_model
from distill.models.checkpoint import load_model, save_model
from distill.spec import ModelSpec
from distill.training import fit as module
from distill.training.callbacks.checkpointing import RunCheckpoints
from distill.training.config import StudentConfig
from distill.training.fit import train_student
from distill.training.loggers.metrics_csv import read_rows
from distill.training.teacher import FrozenTeacher
from distill.training.teacher_cache.factory import identity, with_cache
from tests.support.training_runs import numbers


def values(folder: Path, name: str) -> list[float]:
    return [value for _, other, value in read_rows(folder / "metrics.csv") if other == name]


def state(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return torch.load(folder / f"{name}.ckpt", weights_only=True)["state_dict"]


SHORT = {"epochs": 1}
TWO = {"epochs": 2, "validate_every": 2}


def test_several_kinds_add_up(make_config: Any, teacher: Path) -> None:
    kd = {"kind": "mse", "weight": 100.0, "extra": {"coordinate": 2.0, "covariance": 0.5, "feature": 0.25}}
    folder = train_student(make_config("student", teacher=teacher, kd=kd, trainer=SHORT))
    rows = {
        name: values(folder, f"train/{name}") for name in ("kd_mse", "kd_coordinate", "kd_covariance", "kd_feature")
    }
    assert all(len(row) == 4 and min(row) > 0 for row in rows.values())
    assert values(folder, "train/kd") == pytest.approx([sum(terms) for terms in zip(*rows.values(), strict=True)])
    supervised = [sum(values(folder, f"train/{name}")[step] for name in ("star", "point", "edge")) for step in range(4)]
    kd_alone = values(folder, "train/kd")
    assert values(folder, "train/loss") == pytest.approx([a + b for a, b in zip(supervised, kd_alone, strict=True)])


def test_what_aligns_features_is_trained_and_stored_but_not_shipped(
    make_config: Any, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[torch.Tensor] = []
    monkeypatch.setattr(
        module.StudentTask,
        "on_fit_start",
        lambda self: first.append(self.feature.align.weight.detach().clone()),
        raising=False,
    )
    folder = train_student(make_config("student", teacher=teacher, kd={"kind": "feature", "weight": 1.0}, trainer=TWO))
    stored = state(folder, "best")
    assert {name for name in stored if not name.startswith("net.")} == {"feature.align.weight", "feature.align.bias"}
    assert not torch.equal(stored["feature.align.weight"], first[0])
    net, _ = load_model(folder / "best.ckpt")
    assert not any("align" in name for name in net.state_dict())
    kd_loss = values(folder, "train/kd")
    assert kd_loss[-1] < kd_loss[0]


def test_without_supervised_loss(make_config: Any, faces: Path, teacher: Path) -> None:
    """Also about faces whose labels are weak or absent, whatever their points say."""
    sets = [SetConfig("manifest", faces, "train", labels=labels) for labels in ("weak", "none")]  # type: ignore[arg-type]
    kd = {"kind": "coordinate", "weight": 1.0, "supervised": False}
    folder = train_student(make_config("s", teacher=teacher, kd=kd, data={"sets": sets}, trainer=SHORT))
    assert values(folder, "train/loss") == values(folder, "train/kd")
    assert len(values(folder, "train/kd")) == 13
    assert not values(folder, "train/inner51")


def test_polishing_the_head_leaves_the_backbone_as_it_was(make_config: Any, teacher: Path, student: Path) -> None:
    start = student / "best.ckpt"
    kd = {"kind": "mse", "weight": 1.0, "supervised": False, "head_only": True}
    folder = train_student(make_config("polished", teacher=start, kd=kd, trainer=TWO))
    before, after = load_model(start)[0].state_dict(), load_model(folder / "last.ckpt")[0].state_dict()
    for name, value in before.items():
        if name.startswith("backbone."):
            assert torch.equal(value, after[name]), name
    assert not torch.equal(before["head.heatmap.weight"], after["head.heatmap.weight"])
    kd_loss = values(folder, "train/kd")
    assert kd_loss[-1] < kd_loss[0]
    with pytest.raises(ConfigError, match=r"--kd\.head_only: --teacher is swin_v2 with other options"):
        train_student(make_config("other", teacher=teacher, kd=kd))


def test_several_teachers_and_mirrored_crops(make_config: Any, teacher: Path, student: Path) -> None:
    twice = train_student(make_config("twice", teacher=[teacher, teacher], trainer=SHORT))
    flipped = train_student(make_config("flipped", teacher=teacher, kd={"flip": True}, trainer=SHORT))
    assert values(twice, "train/kd") == pytest.approx(values(student, "train/kd"), rel=1e-4)
    assert values(flipped, "train/kd") != values(student, "train/kd")


def test_simple_options_are_what_they_were() -> None:
    config = StudentConfig(teacher=Path("t.ckpt"))
    assert config.kd.weights == {"mse": 100.0}
    assert config.teachers == [Path("t.ckpt")]


def _cached(make_config: Any, name: str, teacher: Path, folder: Path, form: str = "window", **changes: Any) -> Any:
    kd = {"kind": "coordinate" if form == "landmarks" else "mse", "weight": 10.0}
    kd |= {"cache": CacheConfig(form, folder), **changes.pop("kd", {})}  # type: ignore[arg-type]
    data = {"augment_period": 1, **changes.pop("data", {})}
    return make_config(name, teacher=teacher, kd=kd, data=data, trainer=TWO, **changes)


@dataclass(frozen=True)
class Trained:
    """A run with a cache: its folder, what it printed and in how many of its batches an output was computed."""

    folder: Path
    printed: str
    misses: int


@pytest.fixture(scope="module")
def trained() -> dict[str, tuple[Trained, Trained]]:
    return {}


@pytest.fixture
def with_cold_and_warm_cache(
    make_config: Any,
    teacher: Path,
    tmp_path_factory: pytest.TempPathFactory,
    trained: dict[str, tuple[Trained, Trained]],
    capsys: pytest.CaptureFixture[str],
) -> Callable[[str], tuple[Trained, Trained]]:
    """Return two runs with a cache of a form, one that fills it and one that finds it filled, made once for all."""

    def run(name: str, form: str, cache: Path) -> Trained:
        tasks: list[Any] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module.StudentTask, "on_fit_end", lambda self: tasks.append(self.teacher), raising=False)
            folder = train_student(_cached(make_config, name, teacher, cache, form))
        return Trained(folder, capsys.readouterr().out, getattr(tasks[0], "cache_misses", 0))

    def both(form: str) -> tuple[Trained, Trained]:
        if form not in trained:
            cache = tmp_path_factory.mktemp(form)
            trained[form] = run("cold", form, cache), run("warm", form, cache)
        return trained[form]

    return both


@pytest.mark.parametrize("form", ["window", "maps", "landmarks"])
def test_cached_outputs_equal_computed_ones(
    form: str, make_config: Any, teacher: Path, tmp_path: Path, with_cold_and_warm_cache: Any
) -> None:
    """A cold cache, a warm one and one that hits half of the time give the same training to the bit."""
    cold, warm = (run.folder for run in with_cold_and_warm_cache(form))
    assert numbers(warm) == numbers(cold)
    values, others = state(cold), state(warm)
    assert all(torch.equal(value, others[name]) for name, value in values.items())
    kept = yaml.safe_load((cold / "config.yaml").read_text())["kd"]["cache"]["folder"]
    (store,) = shutil.copytree(kept, tmp_path / "kept").iterdir()
    for file in store.glob("*.bin"):
        content = bytearray(file.read_bytes())
        content[: len(content) // 2] = bytes(len(content) // 2)
        file.write_bytes(content)
    half = train_student(_cached(make_config, "half", teacher, tmp_path / "kept", form))
    assert numbers(half) == numbers(cold)


def test_computing_landmarks_once_is_announced(with_cold_and_warm_cache: Any) -> None:
    line = "Teacher: landmarks of 18 faces, once each, kept in "
    assert [line in run.printed for run in with_cold_and_warm_cache("landmarks")] == [True, False]


def test_whole_maps_lose_no_more_than_half_precision(
    make_config: Any, teacher: Path, tmp_path: Path, with_cold_and_warm_cache: Any
) -> None:
    kept = with_cold_and_warm_cache("maps")[0].folder
    never = train_student(_cached(make_config, "never", teacher, tmp_path / "kept", "none"))
    assert values(kept, "train/kd")[0] == pytest.approx(values(never, "train/kd")[0], rel=1e-3)
    assert values(kept, "train/kd") != values(never, "train/kd")


def test_a_batch_of_a_repeated_round_is_computed_once(with_cold_and_warm_cache: Any) -> None:
    cold, warm = with_cold_and_warm_cache("window")
    # 16 of 18 faces an epoch: the two of the first that did not come up are computed when they do.
    assert cold.misses in {4, 5, 6}, f"{cold.misses} of 8 batches"
    assert warm.misses == 0


def test_other_faces_teachers_and_crops_are_kept_apart(
    make_config: Any, faces: Path, teacher: Path, tmp_path: Path
) -> None:
    changes: list[dict[str, Any]] = [
        {}, {"seed": 1}, {"kd": {"flip": True}}, {"data": {"batch_size": 8}},
        {"data": {"sets": [SetConfig("manifest", faces, "train")]}},
    ]  # fmt: skip
    names, frozen = set(), FrozenTeacher.load([teacher])
    for number, change in enumerate(changes):
        config = _cached(make_config, f"run{number}", teacher, tmp_path / "kept", **change)
        data = build_data(config.data, ["inner51"], config.seed, config.trainer.epochs)
        names.add(str(with_cache(frozen, config, data.train).store.folder))
    assert len(names) == len(changes)


def test_a_scheme_that_changed_under_its_name_is_another_cache(
    make_config: Any, faces: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher is reduced to the points that `from:` of a user's scheme names."""
    config = _cached(make_config, "run", teacher, tmp_path / "kept")
    data = build_data(config.data, ["inner51"], config.seed, config.trainer.epochs)
    found = []
    for points in ([0, 1], [1, 0]):
        monkeypatch.setattr(
            "distill.training.teacher_cache.factory.own_definition", lambda name, points=points: {"from": points}
        )
        found.append(identity(config, data.train))
    assert found[0] != found[1]


def test_the_bound_of_a_cache_holds_where_epochs_show_a_part_of_a_set(
    make_config: Any, faces: Path, teacher: Path, tmp_path: Path
) -> None:
    sets = [SetConfig("manifest", faces, "train", share=0.2)]
    config = _cached(make_config, "run", teacher, tmp_path / "kept", data={"augment_period": 2, "sets": sets})
    data = build_data(config.data, ["inner51"], config.seed, config.trainer.epochs)
    assert len(data.train) < len(data.train.records)
    cache = with_cache(FrozenTeacher.load([teacher]), config, data.train)
    assert cache.store.count == len(data.train.records)


@pytest.mark.parametrize("kd", [{}, {"flip": True, "extra": {"feature": 1.0}, "cache": CacheConfig()}])
def test_a_crashed_run_resumes_to_the_bit_with_its_cache(
    kd: dict[str, Any], make_config: Any, teacher: Path, tmp_path: Path, with_cold_and_warm_cache: Any
) -> None:
    if kd:
        whole = train_student(_cached(make_config, "whole", teacher, tmp_path / "kept_a", kd=kd))
    else:
        whole = with_cold_and_warm_cache("window")[0].folder
    original, calls = RunCheckpoints.on_train_batch_end, iter(range(1, 10**6))

    def crash(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if next(calls) == 7:  # one step behind the last checkpoint
            raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunCheckpoints, "on_train_batch_end", crash)
        with pytest.raises(InterruptedError):
            train_student(_cached(make_config, "crashed", teacher, tmp_path / "kept_b", kd=kd))
    again = train_student(_cached(make_config, "crashed", teacher, tmp_path / "kept_b", kd=kd, resume=True))
    assert numbers(again) == numbers(whole)
    values, others = state(again), state(whole)
    assert values.keys() == others.keys()
    assert all(torch.equal(value, others[name]) for name, value in values.items())


def test_seeds_share_landmarks_computed_once_but_no_augmented_crops(
    make_config: Any, teacher: Path, tmp_path: Path
) -> None:
    def inputs(seed: int, form: str, boxes: tuple[str, ...] = ("gt",)) -> dict[str, Any]:
        config = _cached(make_config, "run", teacher, tmp_path, form, seed=seed)
        data = build_data(config.data, ["inner51"], seed, config.trainer.epochs)
        data.train.boxes = boxes  # type: ignore[union-attr]
        return identity(config, data.train)

    assert inputs(0, "landmarks") == inputs(1, "landmarks")
    assert inputs(0, "landmarks", ("gt", "dataset")) != inputs(1, "landmarks", ("gt", "dataset"))
    assert inputs(0, "maps") != inputs(1, "maps")


@pytest.mark.parametrize("size", [64, 32])
def test_landmarks_per_face_are_those_of_the_teachers_plain_crops(
    make_config: Any, teacher: Path, tmp_path: Path, size: int
) -> None:
    config = _cached(make_config, "run", teacher, tmp_path / "kept", "landmarks")
    config = replace(config, data=replace(config.data, crop=replace(config.data.crop, size=size)))
    data = build_data(config.data, ["inner51"], config.seed, config.trainer.epochs)
    frozen = FrozenTeacher.load([teacher])
    once = with_cache(frozen, config, data.train)
    once.prepare(torch.device("cpu"))
    plain = build_data(make_config("x", data={"augment": config.data.augment.none()}).data, ["inner51"], 0, 1).train
    flips = 0
    for index in range(6):
        face, crop = data.train[3, index], plain[index]
        landmarks = frozen(crop["image"][None].float() / 255).landmarks[0].double()
        batch = {name: torch.as_tensor(face[name])[None] for name in ("index", "to_photo")}  # type: ignore[literal-required]
        found = once.outputs(face["image"][None].float(), batch)  # type: ignore[arg-type]
        # Through the photo: what the teacher predicts there, where this crop has it.
        photo = (landmarks * 64 - 0.5) @ crop["to_photo"][:, :2].double().T + crop["to_photo"][:, 2]
        rotation, shift = face["to_photo"][:, :2].double(), face["to_photo"][:, 2].double()
        moved = (((photo - shift) @ torch.linalg.inv(rotation).T) + 0.5) / size
        mirrored = bool(torch.linalg.det(rotation) < 0)
        flips += mirrored
        expected = moved[frozen.order] if mirrored else moved
        assert torch.allclose(found.landmarks[0].double(), expected, atol=1e-5)
    assert 0 < flips < 6


def test_what_cannot_be_is_refused(make_config: Any, teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--kd\.cache\.form: features are not cached"):
        _cached(make_config, "run", teacher, tmp_path, kd={"extra": {"feature": 1.0}})
    with pytest.raises(ConfigError, match=r"--kd\.extra 'mean' beside --kd\.kind mse"):
        make_config("run", teacher=teacher, kd={"extra": {"mean": 1.0}})
    with pytest.raises(ConfigError, match=r"--kd\.cache\.form landmarks .*: give --kd\.cache\.form none"):
        train_student(_cached(make_config, "run", teacher, tmp_path, "landmarks", kd={"kind": "mse"}))
    other = tmp_path / "other.safetensors"
    large = ModelSpec("mobilevit_v2_050", "inner51", 51, CropSpec(128, 1.3), {"width": 16})
    save_model(other, create_model("mobilevit_v2_050", "inner51", width=16), large)
    with pytest.raises(
        ConfigError, match=r"needs heatmaps.* take coordinate or none \(of several teachers only the parts that all"
    ):
        train_student(make_config("run", teacher=[teacher, other], kd={"kind": "kl"}))
    assert not (tmp_path / "runs/run").exists()
    with pytest.raises(ConfigError, match="one --teacher"):
        make_config("run", teacher=[teacher, teacher], kd={"head_only": True})


def test_the_weight_decays_linearly(make_config: Any, teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = []
    original = module.StudentTask.kd_weight
    monkeypatch.setattr(module.StudentTask, "kd_weight", lambda self: weights.append(original(self)) or weights[-1])
    train_student(make_config("student", teacher=teacher, kd={"decay": "linear", "kind": "kl"}, trainer={"epochs": 1}))
    assert weights == pytest.approx([100, 75, 50, 25])
