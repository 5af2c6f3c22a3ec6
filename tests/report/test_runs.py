"""The report shows what was measured, refuses what does not compare and needs nothing from the network."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.data.readers import read_faces
from distill.errors import AnnotationError, ConfigError
from distill.evaluate.evaluate import evaluate
from distill.evaluate.faces import load_faces
from distill.evaluate.result import Evaluation
from distill.evaluate.suite import render_suite, run_suite
from distill.export.pipeline import FORMAT as EXPORT
from distill.export.verify.parity import measure as measure_hops
from distill.export.verify.tolerances import Gate
from distill.files import write_json
from distill.landmarks import load_scheme
from distill.report.gallery import extremes, gallery
from distill.report.runs import build
from distill.report.sources import matched, read_source, read_sources
from tests.support.detector_runs import write_detector_run
from tests.support.evaluation import Measure, Oracle, write_photos


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the suite measures of the first run; it takes a second."""
    root = write_photos(tmp_path_factory.mktemp("photos"))
    first, second = (Oracle(read_faces("manifest", root), "inner51", shift=shift) for shift in ((1, 2), (2, 2)))
    faces = load_faces("inner51", format="manifest", root=root)
    evaluation = evaluate(first, format="manifest", root=root, progress=False)
    return run_suite(first, faces, evaluation, second, progress=False)


@pytest.fixture
def runs(suite: dict[str, Any], tmp_path: Path, measure: Measure) -> tuple[Path, Path]:
    """Two run folders; the first has a suite, training curves and a second evaluation."""
    first, second = tmp_path / "one", tmp_path / "two"
    for folder in (first, second):
        folder.mkdir()
    write_json(first / "evaluation.json", measure(shift=(1, 2)).to_json() | {"suite": suite})
    write_json(first / "hard.json", measure(shift=(1, 2), subset="hard").to_json())
    (first / "metrics.csv").write_text("step,name,value\n1,train/loss,2.0\n2,train/loss,1.0\n2,val/nme,0.04\n")
    write_json(second / "evaluation.json", measure(shift=(2, 2)).to_json())
    return first, second


@pytest.fixture
def plain(tmp_path: Path, measure: Measure) -> Path:
    """A run folder with an evaluation: its page draws little."""
    write_json(tmp_path / "plain" / "evaluation.json", measure(shift=(1, 2)).to_json())
    return tmp_path / "plain"


def test_the_folder_of_all_runs_names_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "metrics.csv").touch()
    with pytest.raises(AnnotationError, match=f"give one of its runs, such as {tmp_path / 'mine'}"):
        read_sources([tmp_path])


def test_an_evaluation_survives_the_file(runs: tuple[Path, Path], measure: Measure) -> None:
    saved, fresh = Evaluation.from_json(runs[0] / "evaluation.json"), measure(shift=(1, 2))
    assert saved.protocol == fresh.protocol
    assert saved.names == fresh.names
    assert (saved.offsets == fresh.offsets).all()
    assert saved.summary() == fresh.summary()


def test_a_page_with_everything_and_no_links_out(runs: tuple[Path, Path]) -> None:
    page = build([read_source(run) for run in runs], "t").html()
    for part in ("Accuracy: all", "Accuracy: hard", "Robustness", "Training", "jitter", "mean face", "set"):
        assert part in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_a_run_shows_what_its_export_wrote(plain: Path) -> None:
    crops, points = np.zeros((2, 48, 48, 3), np.float32), np.full((2, 51, 2), 0.5, np.float32)
    stages = {name: (lambda _, off=off: points + np.float32(off)) for name, off in (("onnx", 0.0), ("int8 on x", 0.1))}
    gates = dict.fromkeys(stages, Gate(1.0, 1.0))
    parity = measure_hops(lambda _: points, stages, crops, None, load_scheme("inner51"), gates)
    content = {"format": EXPORT, "files": {"onnx": {"file": "net.onnx", "bytes": 10}}, "parity": parity.to_dict()}
    write_json(plain / "export" / "export.json", json.loads(json.dumps(content)))
    page = build([read_source(plain)], "t").html()
    assert "Export of plain" in page
    assert page.count("pass</span>") == 1
    assert page.count("fail</span>") == 1


@pytest.mark.parametrize(
    ("recorded", "missing"),
    [
        ("1,val/nme,0.04", ["loss"]),
        ("10,train/loss,2.0", ["validation"]),
        ("1,lr,0.1", ["loss", "validation"]),
        ("", ["loss", "validation"]),
    ],
    ids=["fewer than ten steps", "stopped before a validation", "no curve", "nothing recorded"],
)
def test_a_short_run_names_what_it_lacks(plain: Path, recorded: str, missing: list[str]) -> None:
    rows = f"{recorded}\n" if recorded else ""
    (plain / "metrics.csv").write_text(f"step,name,value\n{rows}")
    page = build([read_source(plain)], "t").html()
    assert re.findall(r"No run recorded (?:its|a) (\w+):", page) == missing
    assert ("Loss</figcaption>" in page) is (missing == ["validation"])


def test_every_run_has_a_name_of_its_own(tmp_path: Path, measure: Measure) -> None:
    """`kd_0.05` and `kd_0.1` have one stem, evaluations in two folders one name."""
    paths = [tmp_path / "kd_0.05", tmp_path / "kd_0.1", tmp_path / "a" / "e.json", tmp_path / "b" / "e.json"]
    for index, path in enumerate(paths):
        write_json(path if path.suffix == ".json" else path / "evaluation.json", measure(shift=(index, 0)).to_json())
    sources = read_sources(paths)
    assert [source.name for source in sources] == ["kd_0.05", "kd_0.1", "a/e", "b/e"]
    (group,) = matched(sources)
    assert list(group) == ["kd_0.05", "kd_0.1", "a/e", "b/e"]
    with pytest.raises(ConfigError, match="given twice"):
        read_sources([paths[0], paths[0]])


def test_runs_with_two_files_each_are_compared_pair_by_pair(tmp_path: Path, measure: Measure) -> None:
    for run in ("one", "two"):
        for file in ("ckpt", "fp16"):
            write_json(tmp_path / run / f"{file}.json", measure().to_json())
    groups = matched(read_sources([tmp_path / "one", tmp_path / "two"]))
    assert [list(group) for group in groups] == [["one", "two"], ["one", "two"]]


def test_a_file_that_is_not_whole_is_one_line(tmp_path: Path) -> None:
    write_json(tmp_path / "export.json", {"format": EXPORT})
    with pytest.raises(AnnotationError, match=r"its .* file is not whole \(KeyError\('parity'\)\); make it again"):
        build([read_source(tmp_path)], "t")


def test_unlike_protocols_are_refused_with_the_reason(runs: tuple[Path, Path], measure: Measure) -> None:
    write_json(runs[1] / "evaluation.json", measure(subset="common").to_json())
    with pytest.raises(ConfigError, match="one and two cannot be compared, subset differs"):
        build([read_source(run) for run in runs], "t")


def test_a_folder_without_anything_of_ours(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no such run"):
        read_source(tmp_path / "nothing")
    (tmp_path / "notes.json").write_text("[1, 2]")
    with pytest.raises(AnnotationError, match="no evaluation"):
        read_source(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(AnnotationError, match="not JSON"):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw["faces"].pop("offsets"), "offsets"),
        (lambda raw: raw.update(format="distill-evaluation/1"), "format"),
        (lambda raw: raw["faces"].update(offsets="AAAA"), "not an evaluation"),
        (lambda raw: raw["protocol"].update(extra=1), "extra"),
    ],
)
def test_a_file_of_another_version_says_what_to_do(tmp_path: Path, measure: Measure, change, message: str) -> None:
    raw = measure().to_json()
    change(raw)
    write_json(tmp_path / "e.json", raw)
    with pytest.raises(AnnotationError, match=message):
        Evaluation.from_json(tmp_path / "e.json")


def test_pictures_show_the_extremes(root: Path, measure: Measure) -> None:
    evaluation = measure(shift=(3, 4))
    worst, best = extremes(evaluation, 2)
    errors = evaluation.nme()
    assert errors[worst[0]] == errors.max()
    assert errors[best[0]] == errors.min()
    records = read_faces("manifest", root, scheme="inner51")
    assert gallery(evaluation, records, worst).startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match="not among"):
        gallery(evaluation, records[:1], [5])


def test_the_suite_reads_as_sentences(runs: tuple[Path, Path]) -> None:
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    Console(file=out, width=200).print(render_suite(json.loads((runs[0] / "evaluation.json").read_text())["suite"]))
    assert "from the teacher" in out.getvalue()
    assert "box jitter" in out.getvalue()


def test_a_face_detector_is_shown_by_its_average_precision(plain: Path, tmp_path: Path) -> None:
    """Its page lacked all of it, and requested an evaluation on annotated faces."""
    folder = tmp_path / "detector"
    write_detector_run(folder)
    page = build([read_source(folder)], "t")
    html = page.html()
    assert "Its average precision is 50.00 % on the photos that were held out" in html
    assert f"distill evaluate {folder / 'best.ckpt'}</code>" in html
    assert "Loss and validation AP</figcaption>" in html
    assert "No run recorded" not in html
    tables = dict(page.tables)
    (row,) = tables["run", "model", "photos", "faces", "boxes", "AP %", "recall %", "precision %", "false per photo"]
    assert list(row) == ["detector", "best.ckpt", 1, 2, "own", 50.0, 50.0, 100.0, 0.0]
    trained = next(rows for headers, rows in tables.items() if "network" in headers)
    assert trained[0][:2] == ["detector", "retinaface 0.35"]
    assert "Is plain good?" in build([read_source(folder), read_source(plain)], "t").html()


def test_an_evaluation_of_a_detector_that_is_not_whole_is_one_line(tmp_path: Path) -> None:
    write_json(tmp_path / "detector.json", {"format": "distill-detector-evaluation/1", "model": "m"})
    with pytest.raises(AnnotationError, match=r"an evaluation of a detector is not whole \(KeyError\('protocol'\)\)"):
        build([read_source(tmp_path / "detector.json")], "t")
