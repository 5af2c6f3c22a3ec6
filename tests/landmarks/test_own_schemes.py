"""A user's own scheme is called by its declared name and stored with the model, wherever folders are moved."""

import json
from pathlib import Path

import pytest
import yaml

from distill.errors import ConfigError
from distill.geometry import CropSpec
from distill.landmarks import load_scheme, own_definition, scheme_name
from distill.landmarks.convert import clear_own_schemes_and_maps
from distill.spec import ModelSpec, read_sidecar, write_sidecar

CONTENT = {
    "name": "mine",
    "title": "eye centres and chin",
    "n_points": 3,
    "flip": [[0, 1]],
    "groups": {"eyes": "0-1", "chin": [2]},
    "edges": [],
    "pupil": [[0], [1]],
}


def _write(path: Path, **changes: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**CONTENT, **changes}))
    return str(path)


def test_a_file_makes_its_declared_name_known(tmp_path: Path) -> None:
    path = _write(tmp_path / "scheme.yaml")
    assert scheme_name(path) == "mine"
    assert load_scheme("mine") == load_scheme(path)
    assert own_definition("mine") == CONTENT
    assert own_definition("ibug68") == {}


def test_a_model_carries_its_scheme_to_another_folder(tmp_path: Path) -> None:
    name = scheme_name(_write(tmp_path / "faces" / "scheme.yaml"))
    spec = ModelSpec("efld", name, 3, CropSpec(64), definitions={name: own_definition(name)})
    model = tmp_path / "m.tflite"
    model.write_bytes(b"model")
    write_sidecar(model, spec)
    # Another process, in which the folder of the faces is not there.
    clear_own_schemes_and_maps()
    with pytest.raises(ConfigError, match="unknown landmark scheme 'mine'"):
        load_scheme("mine")
    assert read_sidecar(model) == spec
    scheme = load_scheme("mine")
    assert (scheme.flip, scheme.groups, scheme.pupil) == ((1, 0, 2), {"eyes": (0, 1), "chin": (2,)}, ((0,), (1,)))
    assert json.loads((tmp_path / "m.json").read_text())["spec"]["definitions"] == {"mine": CONTENT}


def test_two_schemes_of_one_name_are_refused(tmp_path: Path) -> None:
    # The points of the one would be taken for those of the other.
    scheme_name(_write(tmp_path / "a" / "scheme.yaml"))
    assert scheme_name(_write(tmp_path / "b" / "scheme.yaml", title="the same in other words")) == "mine"
    other = _write(tmp_path / "c" / "scheme.yaml", flip=[[0, 2]], pupil=None)
    with pytest.raises(ConfigError, match="another scheme is called 'mine'"):
        load_scheme(other)
    with pytest.raises(ConfigError, match="another scheme is called 'five'"):
        load_scheme(_write(tmp_path / "d.yaml", name="five"))
