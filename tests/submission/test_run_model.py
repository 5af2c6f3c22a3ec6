"""What a host may do to run_model.py: broken photos, odd lists, odd folders, and a package that was tampered with."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from distill.detection.detector import FaceDetector, bundled_detector
from distill.errors import ConfigError
from distill.files import sha256
from distill.geometry import CropSpec
from distill.images import read_image
from distill.inference.landmarker import Face, Landmarker
from distill.submission import run_model
from distill.submission.contest_rules import guess_box, load_contest, parse_result
from tests.submission.conftest import RULES, Run

PAIR = load_contest(RULES)


def encoded(pixels: np.ndarray, kind: str, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def header_of_a_huge_png() -> bytes:
    data = bytearray(encoded(np.zeros((8, 8, 3), np.uint8), "PNG"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(data)


def test_every_broken_photo_is_one_line_and_an_empty_result(run: Run, texture: np.ndarray, tmp_path: Path) -> None:
    """Catches a photo that kills the run, hangs it, or gives half a picture."""
    jpeg, png = encoded(texture, "JPEG"), encoded(texture, "PNG")
    broken = {
        "torn.jpg": jpeg[: len(jpeg) // 2],
        "torn.png": png[: len(png) // 2],
        "header_only.jpg": jpeg[:200],
        "empty.jpg": b"",
        "text.jpg": b"this is no photo\n",
        "page.jpg": b"<!DOCTYPE html><html>404</html>",
        "huge.png": header_of_a_huge_png(),
        "float.tif": encoded(texture, "TIFF", "F"),
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    stems = [*(Path(name).name for name in broken), "folder.jpg", "pipe.jpg", "loop.jpg", "missing.jpg", "x" * 300]
    # One name per result file: torn.jpg and torn.png would share one.
    (tmp_path / "torn.png").rename(tmp_path / "torn_2.png")
    names = [name.replace("torn.png", "torn_2.png") for name in stems]
    photos = [tmp_path / name for name in names] + [Path("/dev/zero")]
    (tmp_path / "good.png").write_bytes(png)
    status, complaints, results = run([*photos, tmp_path / "good.png"])
    assert len(complaints) == len(photos)
    for photo, complaint in zip(photos, complaints, strict=True):
        assert complaint.startswith("run_model: ")
        assert photo.name in complaint
    assert status == 1, "the name of 300 letters can have no result file"
    assert {name for name, text in results.items() if text} == {"good.txt"}
    assert len(results) == len(photos), "every photo but the one with the impossible name has a result"


def test_every_kind_of_photo_gives_the_same_face(run: Run, texture: np.ndarray, tmp_path: Path) -> None:
    """Catches depth, colour model, palette, transparency and orientation read as something else."""
    turned = Image.Exif()
    turned[0x0112] = 6  # shown after turning a quarter clockwise
    deep = texture[:, :, 1].astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    contents = {
        "plain.png": encoded(texture, "PNG"),
        "alpha.png": encoded(texture, "PNG", "RGBA"),
        "palette.gif": encoded(texture, "GIF", "P"),
        "ink.jpg": encoded(texture, "JPEG", "CMYK", quality=98),
        "turned.jpg": encoded(np.rot90(texture), "JPEG", quality=98, exif=turned.tobytes()),
        "modern.webp": encoded(texture, "WEBP"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    status, complaints, results = run([tmp_path / name for name in [*contents, "deep.png"]])
    assert (status, complaints) == (0, [])
    faces = {name: parse_result(text, PAIR)[0] for name, text in results.items()}
    # The model adds a tenth of the crop's mean colour; a face is 600 px, so one grey level more is 0.24 px.
    for name, face in faces.items():
        wanted = 3.0 if name == "deep.txt" else 1.0  # the green channel for all three
        assert np.abs(face - faces["plain.txt"]).max() < wanted, name


def test_photos_of_one_name_do_not_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.txt").write_text("a.png\na.jpg\na.png\n")
    assert run_model.read_list(tmp_path / "list.txt") == [tmp_path / "a.png"]
    assert "a.jpg: left out" in capsys.readouterr().err


def test_an_empty_list(run: Run) -> None:
    assert run(b"\n") == (0, [], {})


@pytest.mark.parametrize("content", [None, b"\x89PNG\0\0\0", b"\xff\xfea"])
def test_what_is_no_list(tmp_path: Path, content: bytes | None) -> None:
    """A photo given as the list must not become thousands of missing photos."""
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"list\.txt: unreadable list") as caught:
        run_model.read_list(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["a file", "below a file", "no permission"])
def test_an_output_folder_that_cannot_be(run: Run, plain_photo: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "taken").write_text("mine")
    # Not even root makes files in /proc.
    folders = {"a file": tmp_path / "taken", "below a file": tmp_path / "taken" / "out", "no permission": Path("/proc")}
    status, complaints, _ = run([plain_photo], output=folders[kind])
    assert status == 2
    assert len(complaints) == 1
    assert str(folders[kind]) in complaints[0]
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_full_disk_costs_the_results_it_costs(
    run: Run, plain_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = run_model.write_text

    def full_for_one(path: Path, text: str) -> None:
        if path.stem == "b":
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(run_model, "write_text", full_for_one)
    photos = [shutil.copy(plain_photo, tmp_path / f"{name}.png") for name in "abc"]
    status, complaints, results = run(photos)
    assert status == 1
    assert len(complaints) == 1
    assert "b.png: no result could be written (No space left on device)" in complaints[0]
    assert list(results) == ["a.txt", "c.txt"]


def swap_model(package: Path) -> None:
    data = bytearray((package / "best.tflite").read_bytes())
    data[-1] ^= 1
    (package / "best.tflite").write_bytes(data)


def cut_model(package: Path) -> None:
    """A file that has the right hash and is still no model."""
    data = (package / "best.tflite").read_bytes()[:6]
    (package / "best.tflite").write_bytes(data)
    sidecar = package / "best.json"
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "sha256": sha256(package / "best.tflite")}))


def unknown_rule(package: Path) -> None:
    path = package / "contest.yaml"
    path.write_text(path.read_text() + "\ncolour: red\n")


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no model": (lambda package: (package / "best.tflite").unlink(), "best.tflite: no such model file"),
    "changed model": (swap_model, "SHA-256 differs"),
    "cut model": (cut_model, "not a TFLite file"),
    "no sidecar": (lambda package: (package / "best.json").unlink(), "best.json: missing"),
    "broken sidecar": (lambda package: (package / "best.json").write_text("{}"), "not a model description"),
    "no rules": (lambda package: (package / "contest.yaml").unlink(), "contest.yaml: no readable contest rules"),
    "unknown rule": (unknown_rule, "unknown rule 'colour'"),
    "no detector": (
        lambda package: shutil.rmtree(package / "detector"),
        "detector/retinaface_035_fp16.tflite: no such",
    ),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_tampered_package_is_one_line(run: Run, plain_photo: Path, own_package: Path, kind: str) -> None:
    change, message = TAMPERED[kind]
    change(own_package)
    status, complaints, results = run([plain_photo], package=own_package)
    assert status == 2
    assert len(complaints) == 1
    assert message in complaints[0]
    assert results == {}


@pytest.mark.parametrize(("policy", "content"), [("skip", None), ("empty", ""), ("guess", "version: 1\n")])
def test_no_face_policies(run: Run, own_package: Path, plain_photo: Path, policy: str, content: str | None) -> None:
    rules = yaml.safe_load(RULES.read_text())
    (own_package / "contest.yaml").write_text(yaml.safe_dump({**rules, "no_face": policy}))
    status, complaints, results = run([plain_photo], package=own_package)
    assert (status, complaints) == (0, [])
    assert list(results.values()) == [] if content is None else results["a plain photo.txt"][:11] == content


def test_a_guess_is_cut_out_as_what_the_detector_finds(run: Run, own_package: Path, plain_photo: Path) -> None:
    contest, model = load_contest(RULES), own_package / "best.tflite"
    sidecar = json.loads((own_package / "best.json").read_text())
    sidecar["spec"]["detected"] = {**sidecar["spec"]["crop"], "scale": 2 * sidecar["spec"]["crop"]["scale"]}
    (own_package / "best.json").write_text(json.dumps(sidecar))
    _, complaints, results = run([plain_photo], package=own_package)
    photo, landmarker = read_image(plain_photo), Landmarker(model, detector=lambda _: [])
    guess = guess_box(contest, photo.shape[1], photo.shape[0])
    expected = landmarker.landmarks(photo, guess, CropSpec(**sidecar["spec"]["detected"]))
    assert complaints == []
    np.testing.assert_allclose(parse_result(results["a plain photo.txt"], contest)[0], expected, atol=0.01)
    assert np.abs(landmarker.landmarks(photo, guess) - expected).max() > 1


def test_three_faces_are_written_right_to_left(run: Run, sample_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real detector, whatever order it finds them in."""
    found = FaceDetector.__call__
    for reorder in (lambda faces: faces, lambda faces: faces[::-1], lambda faces: faces[1:] + faces[:1]):
        monkeypatch.setattr(FaceDetector, "__call__", lambda self, photo, reorder=reorder: reorder(found(self, photo)))
        _, _, results = run([sample_folder / "several.png"])
        middles = [face[:, 0].mean() for face in parse_result(results["several.txt"], PAIR)]
        assert len(middles) == 3
        assert middles == sorted(middles, reverse=True)
        assert middles[0] - middles[2] > 200


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_points_that_are_no_numbers_are_never_written(
    run: Run, sample_folder: Path, monkeypatch: pytest.MonkeyPatch, poison: float
) -> None:
    monkeypatch.setattr(
        Landmarker, "__call__", lambda self, photo: [Face(None, np.full((51, 2), poison, np.float32), 1.0)]
    )
    status, complaints, results = run([sample_folder / "one.png"])
    assert (status, results) == (1, {"one.txt": ""})
    assert "one.png" in complaints[0]
    assert "not finite" in complaints[0]


def test_a_real_call_in_a_bare_environment(whole_package: Path, plain_photo: Path, tmp_path: Path) -> None:
    """Another folder, no locale, spaces and letters beyond ASCII: what the in-process tests cannot show."""
    image_list, output, cwd = tmp_path / "Liste ü.txt", tmp_path / "neu" / "Ergebnisse 写真", tmp_path / "elsewhere"
    cwd.mkdir()
    shutil.copy(plain_photo, tmp_path / "写真.png")
    image_list.write_text("写真.png\nfehlt ü.png\r\n", encoding="utf-8")
    command = [sys.executable, str(whole_package / "run_model.py"), str(image_list), str(output)]
    done = subprocess.run(
        command, cwd=cwd, env={"LC_ALL": "C"}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in output.iterdir()) == ["fehlt ü.txt", "写真.txt"]
    assert "Traceback" not in done.stderr
    assert "2 photos, 1 failed" in done.stdout


@pytest.mark.parametrize("words", [[], ["one"], ["one", "two", "three"]])
def test_wrong_arguments_say_how_to_call(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run_model.py", *words])
    with pytest.raises(SystemExit, match=r"usage: python run_model\.py image_list\.txt OUTPUT_FOLDER"):
        run_model.main()


def test_a_face_of_another_scheme_is_refused(run: Run, sample_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_model, "load_contest", lambda path: replace(PAIR, n_points=68))
    _, complaints, results = run([sample_folder / "one.png"])
    assert results == {"one.txt": ""}
    assert "wants (68, 2)" in complaints[0]


def test_a_package_with_the_files_of_blazeface_uses_them(tmp_path: Path) -> None:
    file = tmp_path / bundled_detector().name
    assert run_model.packaged_detector(tmp_path) == file
    (tmp_path / "face_detection_short_range.tflite").touch()
    assert run_model.packaged_detector(tmp_path) == tmp_path
    file.touch()
    assert run_model.packaged_detector(tmp_path) == file
