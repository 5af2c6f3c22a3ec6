"""The folder holds everything that the page loads, with the settings of its models' descriptions."""

import json
import re
from pathlib import Path

import pytest

from distill.cli.main import main
from distill.errors import CheckpointError, ConfigError
from distill.files import sha256
from distill.inference.confidence import MIN_CONFIDENCE
from distill.inference.roll import MAX_ROLL, MORE_CROPS
from distill.pretrained.registry import checksums, resolve_model
from distill.spec import read_sidecar
from distill.web.site import write_site


def test_released_files_are_written_unchanged_with_their_settings(stand_in: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    names = write_site(out, ["efld_51_128", "student_68_128_fp16"], stand_in)
    settings = json.loads((out / "settings.json").read_text())
    assert names == ["efld_51_128_int8", "student_68_128_fp16"] == [model["name"] for model in settings["models"]]
    for model in settings["models"]:
        spec = read_sidecar(resolve_model(model["name"]))
        crop = spec.detected_crop
        assert model["crop"] == {"size": crop.size, "scale": crop.scale, "shift_y": crop.shift_y}
        assert max(max(edge["points"]) for edge in model["edges"]) < spec.n_points
        assert model["roll"] == {
            "eyes": [[36], [45]] if spec.n_points == 68 else [[19], [28]],
            "max_roll": MAX_ROLL,
            "more_crops": MORE_CROPS,
            "tight": spec.n_points == 68,
        }
        assert sha256(out / model["file"]) == checksums()[Path(model["file"]).name]
    assert settings["min_confidence"] == MIN_CONFIDENCE
    assert (out / settings["detector"]["file"]).is_file()


def test_every_file_that_the_page_names_is_in_the_folder(stand_in: Path, tmp_path: Path) -> None:
    write_site(tmp_path / "site", litertjs=stand_in)
    page = (tmp_path / "site" / "index.html").read_text()
    texts = [page, *(path.read_text() for path in (tmp_path / "site").glob("*.js"))]
    named = {name for text in texts for name in re.findall(r"[\"'](?:\./)?([\w/-]+\.(?:js|css))[\"']", text)}
    assert {"page.js", "style.css", "litertjs/core.js", "detector.js"} <= named
    assert not [name for name in named if not (tmp_path / "site" / name).is_file()]


def test_the_page_loads_nothing_from_elsewhere(stand_in: Path, tmp_path: Path) -> None:
    write_site(tmp_path / "site", litertjs=stand_in)
    own = [path for path in (tmp_path / "site").iterdir() if path.suffix in (".html", ".js", ".css")]
    assert len(own) > 10
    assert not [path.name for path in own if re.search(r"(https?:)?//\w+\.", path.read_text())]
    assert "default-src 'self'" in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ([], ConfigError, "no models given"),
        (["student_68_182"], CheckpointError, "student_68_182"),
        (["model.onnx"], ConfigError, "model.onnx: the page runs TFLite files"),
    ],
    ids=["none", "unknown", "another format"],
)
def test_models_that_the_page_cannot_run(
    models: list[str], error: type[Exception], message: str, stand_in: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        write_site(tmp_path / "site", models, stand_in)
    assert not (tmp_path / "site").exists()


def test_the_command_writes_a_folder(stand_in: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "site"
    assert main(["demo", "web", "efld_51_128", "--out", str(out), "--litertjs", str(stand_in)]) == 0
    assert capsys.readouterr().out == f"{out}/index.html  efld_51_128_int8\n"
    assert main(["demo", "wob"]) == 2
    assert "did you mean 'web'?" in capsys.readouterr().err
