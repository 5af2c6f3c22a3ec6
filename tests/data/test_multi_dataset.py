"""Several data sets as one: annotations by scheme, independent of the other data sets."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from distill.data.augment import AugmentConfig
from distill.data.config import SetConfig
from distill.data.dataset import FaceDataset
from distill.data.multi_dataset import MixedDataset, TrainingSet, derived_schemes, relabelled
from distill.data.records import FaceRecord, make_record
from distill.errors import ConfigError
from distill.geometry import CropSpec
from distill.landmarks import convert, load_scheme

HEADS = ("inner51", "ibug68", "wflw98")


def _records(folder: Path, scheme: str, count: int) -> list[FaceRecord]:
    rng = np.random.default_rng(count)
    records = []
    for index in range(count):
        path = folder / f"{scheme}{index}.png"
        Image.fromarray(rng.integers(0, 255, (90, 90, 3), np.uint8)).save(path)
        points = 45 + rng.uniform(-25, 25, (load_scheme(scheme).n_points, 2))
        records.append(make_record(name=path.stem, image=path, landmarks=points, scheme=scheme, source=path))
    return records


def _faces(records: list[FaceRecord], seed: int = 0, augment: AugmentConfig | None = None) -> FaceDataset:
    return FaceDataset(records, CropSpec(64, 1.3), records[0].scheme, augment, seed=seed)


@pytest.fixture
def mixed(tmp_path: Path) -> MixedDataset:
    main = TrainingSet(_faces(_records(tmp_path, "ibug68", 3), augment=AugmentConfig()))
    other = TrainingSet(_faces(_records(tmp_path, "wflw98", 4), 1, AugmentConfig()), 0.5)
    return MixedDataset([main, other], HEADS)


def test_a_face_is_that_of_its_own_set(mixed: MixedDataset) -> None:
    assert len(mixed) == len(mixed.records) == 7
    for index in range(7):
        position, local = (0, index) if index < 3 else (1, index - 3)
        face, alone = mixed[2, index], mixed.sets[position].faces[2, local]
        assert torch.equal(face["image"], alone["image"])
        assert face["index"] == index
        own = ("ibug68", "wflw98")[position]
        assert torch.equal(face["targets"][own]["landmarks"], alone["landmarks"])


def test_exact_conversions_teach_and_others_are_missing(mixed: MixedDataset) -> None:
    known = {scheme: bool(target["known"].all()) for scheme, target in mixed[1, 0]["targets"].items()}
    assert known == {"inner51": True, "ibug68": True, "wflw98": False}
    face = mixed[1, 0]
    expected = convert(face["targets"]["ibug68"]["landmarks"].numpy(), "ibug68", "inner51")
    assert np.array_equal(face["landmarks"].numpy(), expected)
    known = {scheme: bool(target["known"].any()) for scheme, target in mixed[1, 5]["targets"].items()}
    assert known == {"inner51": False, "ibug68": False, "wflw98": True}
    assert not mixed[1, 5]["known"].any()
    assert all(torch.isfinite(target["landmarks"]).all() for target in mixed[1, 5]["targets"].values())


def test_weights_come_from_the_set_or_the_labels(tmp_path: Path) -> None:
    records = _records(tmp_path, "ibug68", 2)
    weak = _faces(relabelled(records, "weak"))
    none = _faces(relabelled(records, "none"))
    mixed = MixedDataset(
        [TrainingSet(_faces(records)), TrainingSet(weak), TrainingSet(weak, 0.7), TrainingSet(none)], HEADS
    )
    weights = [float(mixed[index]["weight"]) for index in range(8)]
    assert weights == pytest.approx([1, 1, 0.2, 0.2, 0.7, 0.7, 0, 0])
    assert not any(target["known"].any() for target in mixed[7]["targets"].values())


def test_a_share_of_a_set_takes_turns(tmp_path: Path) -> None:
    main, large = _records(tmp_path, "ibug68", 3), _records(tmp_path, "wflw98", 10)
    mixed = MixedDataset([TrainingSet(_faces(main)), TrainingSet(_faces(large), share=0.4)], HEADS)
    assert len(mixed) == 3 + 4
    shown = [[mixed[epoch, slot]["index"] for slot in range(3, 7)] for epoch in range(5)]
    assert all(len(set(epoch)) == 4 for epoch in shown)
    assert Counter(index for epoch in shown for index in epoch) == dict.fromkeys(range(3, 13), 2)
    assert shown[0] != sorted(shown[0]), "neighbours in a set are often frames of one video"
    for epoch, slot in ((0, 1), (3, 5)):
        face = mixed[epoch, slot]
        assert face["targets"][("wflw98", "ibug68")[slot < 3]]["known"].all()
        assert torch.equal(face["image"], mixed.sets[slot >= 3].faces[epoch, face["index"] - 3 * (slot >= 3)]["image"])


def test_a_set_nobody_learns_from_is_refused(tmp_path: Path) -> None:
    main, odd = _records(tmp_path, "inner51", 2), _records(tmp_path, "muct76", 2)
    with pytest.raises(ConfigError, match=r"no head learns from muct76 points; add muct76 to the network's heads"):
        MixedDataset([TrainingSet(_faces(main)), TrainingSet(_faces(odd))], ["inner51"])
    # Without labels there is nothing to learn but from the teacher.
    MixedDataset([TrainingSet(_faces(main)), TrainingSet(_faces(relabelled(odd, "none")))], ["inner51"])


def _set(scheme: str | None, labels: str | None = None) -> SetConfig:
    return SetConfig("csv", Path("faces"), scheme=scheme, labels=labels)  # type: ignore[arg-type]


def test_schemes_that_follow_from_the_main_head() -> None:
    sets = [_set("five"), _set("five", "none"), _set("inner51"), _set("muct76"), _set(None)]
    assert derived_schemes(sets, ["ibug68"]) == ("five", "inner51")
    assert derived_schemes(sets, ["ibug68", "five"]) == ("inner51",), "a head of its own learns it"
    assert derived_schemes([_set("ibug68")], ["inner51"]) == (), "68 points teach the head of 51 as they are"
    assert derived_schemes([_set("five", "none")], ["ibug68"]) == ()


def test_fewer_points_have_a_target_of_their_own(tmp_path: Path) -> None:
    main, five = _records(tmp_path, "ibug68", 2), _records(tmp_path, "five", 3)
    mixed = MixedDataset([TrainingSet(_faces(main)), TrainingSet(_faces(five))], ["ibug68"], ["five"])
    own, other = mixed[0, 3]["targets"], mixed[0, 1]["targets"]
    assert own["five"]["known"].all()
    assert not own["ibug68"]["known"].any()
    assert torch.equal(own["five"]["landmarks"], mixed.sets[1].faces[0, 1]["landmarks"])
    assert not other["five"]["known"].any(), "the main set trains its own points"
    assert other["ibug68"]["known"].all()


def test_batches_of_all_sets_are_one_tensor_each(mixed: MixedDataset) -> None:
    batch = torch.utils.data.default_collate([mixed[0, index] for index in range(7)])
    assert batch["weight"].tolist() == [1, 1, 1, 0.5, 0.5, 0.5, 0.5]
    assert batch["targets"]["wflw98"]["landmarks"].shape == (7, 98, 2)
    assert batch["targets"]["wflw98"]["known"].all(1).tolist() == [False] * 3 + [True] * 4


def test_points_nobody_marked_stay_unknown_when_mirrored(tmp_path: Path) -> None:
    (record,) = _records(tmp_path, "inner51", 1)
    known = np.ones(51, bool)
    known[0] = False
    faces = _faces([replace(record, known=known)], augment=replace(AugmentConfig.none(), flip=1.0))
    flip = load_scheme("inner51").flip
    assert np.flatnonzero(~faces[0]["known"].numpy()).tolist() == [flip[0]]
