import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from distill.bench import peers
from distill.bench.key import Key
from distill.bench.machine import thread_counts
from distill.bench.peers import peer_path
from distill.bench.result import BenchResult, Settings
from distill.bench.run import bench
from distill.cli.bench import run
from distill.errors import CheckpointError, ConfigError
from distill.files import write_json
from distill.report.bench import render
from distill.report.bench_json import to_json
from distill.report.pareto import Point, front, pareto_plot
from distill.report.runs import build
from distill.report.sources import read_source
from distill.tflite.builder import single_op_model, variable
from distill.tflite.model import Operator

ROOT = Path(__file__).parents[2]
NMES = ["small.tflite=4", "large.tflite=3"]
STUDENT = ROOT / "checkpoints/student_128_fp16.tflite"


@pytest.fixture(scope="module")
def found(small: Path, large: Path) -> BenchResult:
    settings = Settings((1, 2), rounds=15, warmup=2)
    return bench([small, large], [], settings, nme=NMES, accuracy=["large.tflite=70"], stages=False)


def test_names_of_released_models_stand_for_their_files() -> None:
    with pytest.raises(CheckpointError, match="did you mean 'student_68_128'"):
        bench(["student_68"])


def test_every_model_is_timed_on_every_number_of_threads(found: BenchResult) -> None:
    models = [key for key in found.timings if key.part == "model"]
    assert [(key.name, key.threads) for key in models] == [
        ("small.tflite", 1), ("large.tflite", 1), ("small.tflite", 2), ("large.tflite", 2),
    ]  # fmt: skip


def test_ratios_are_to_the_reference_on_as_many_threads(found: BenchResult) -> None:
    for threads in (1, 2):
        ours, first = (found.timings[Key(f"{name}.tflite", "model", threads)] for name in ("large", "small"))
        assert ours.ratio == pytest.approx(ours.median_ms / first.median_ms)
        assert first.ratio == 1


def test_speed_energy_and_score_follow_from_the_time(found: BenchResult) -> None:
    key = Key("large.tflite", "model", 2)
    ms, macs = found.timings[key].median_ms, 32 * 32 * 64 * 64 * 9
    assert found.gmacs(key) == pytest.approx(macs / ms / 1e6)
    assert found.energy_mj(key) == pytest.approx(ms * 1.64 * 2)
    size = found.model("large.tflite").path.stat().st_size
    assert found.score(key) == pytest.approx(70 / (ms * 2 * macs / 1e9 * 1.64 * 2 * size / 1e6))
    assert found.score(Key("small.tflite", "model", 1)) is None


def test_a_run_report_shows_what_was_timed(found: BenchResult, tmp_path: Path) -> None:
    write_json(tmp_path / "bench.json", to_json(found, "distill bench"))
    page = build([read_source(tmp_path)], "t").html()
    assert "Latency: " in page
    for key, timing in found.timings.items():
        assert f"{timing.median_ms:.4g}" in page or key.part != "model"
    assert "x small.tflite" in page


def test_the_tables_fit_120_columns_and_say_what_they_are(found: BenchResult) -> None:
    console = Console(width=120, record=True, file=StringIO())
    console.print(render(found))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 120
    words = " ".join(text.split())
    for expected in ("estimated, not measured", "GMAC/s", "typed by hand, protocol not checked", "inside a time"):
        assert expected in words


def test_json_is_complete_and_holds_no_folder(found: BenchResult) -> None:
    raw = to_json(found, "distill bench small.tflite large.tflite")
    text = json.dumps(raw, allow_nan=False)
    assert str(found.models[0].path.parent) not in text
    assert {"machine", "load", "settings", "formulas", "warnings", "peak", "models", "times"} <= set(raw)
    large = next(model for model in raw["models"] if model["name"] == "large.tflite")
    assert large["macs"] == 32 * 32 * 64 * 64 * 9
    assert large["peak_rss_bytes"] is None or large["peak_rss_bytes"] > 0
    row = raw["times"][0]
    assert {"name", "part", "threads", "median_ms", "iqr_ms", "spread", "ratio", "stable", "gmacs_per_s"} <= set(row)


def test_the_plot_is_a_picture_and_needs_accuracies(found: BenchResult) -> None:
    assert pareto_plot(found).startswith(b"\x89PNG")


def test_the_front_holds_what_nothing_beats() -> None:
    fast, good, bad, equal = (
        Point("fast", 1, 4, 1), Point("good", 3, 2, 1), Point("bad", 3.5, 4.5, 1), Point("equal", 3, 2, 9),
    )  # fmt: skip
    assert [point.name for point in front([bad, good, equal, fast])] == ["fast", "good", "equal"]


def test_the_students_decode_and_the_road_from_a_photo_are_timed_apart(facemesh: Path) -> None:
    found = bench([STUDENT], ["facemesh"], Settings((1,), rounds=5, warmup=0))
    parts = {(key.name, key.part) for key in found.timings}
    name = STUDENT.name
    assert {(name, "network"), (name, "decode"), (name, "photo"), ("FaceDetector", "detector")} <= parts
    assert ("crop to 128 px", "crop") in parts
    assert not any(key.name == "facemesh" and key.part != "model" for key in found.timings), "no spec, no maps"
    ms = {key.part: timing.median_ms for key, timing in found.timings.items() if key.name == name}
    assert ms["decode"] < ms["network"]


def test_peers_that_cannot_run_are_skipped_unless_requested(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    custom = tmp_path / "custom.tflite"
    tensor = variable("FLOAT32", (1, 4))
    custom.write_bytes(single_op_model(Operator("CUSTOM:Warp", (tensor,), (tensor,))))
    monkeypatch.setattr("distill.bench.run.PEERS", {"warped": ("", "")})
    monkeypatch.setattr("distill.bench.run.peer_path", lambda name: custom)
    found = bench([small], None, Settings((1,), rounds=5, warmup=0), stages=False)
    assert "Warp" in found.skipped["warped"]
    assert str(tmp_path) not in found.skipped["warped"]
    with pytest.raises(CheckpointError, match="Warp"):
        bench([small], ["warped"], Settings((1,), rounds=5, warmup=0), stages=False)


def test_a_missing_mediapipe_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install mediapipe"):
        peer_path("facemesh")
    with pytest.raises(ConfigError, match="did you mean 'facemesh'"):
        peer_path("facemsh")
    assert set(peers.PEERS) == {"facemesh", "facemesh_attention", "blazeface_short", "blazeface_full"}


def test_threads_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.bench.machine.cores", lambda: 2)
    assert thread_counts(["1", "2", "4", "max"]) == (1, 2, 4)
    for wrong in ("0", "-1", "two"):
        with pytest.raises(ConfigError, match="no number of threads"):
            thread_counts([wrong])


def test_the_command_writes_json_and_plot(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = tmp_path / "bench.json", tmp_path / "bench.png"
    words = f"{small} --peers --threads 1 --rounds 5 --stages false --nme small.tflite=3 --json {out} --plot {plot}"
    assert run(words.split()) == 0
    assert "small.tflite" in capsys.readouterr().out
    assert json.loads(out.read_text())["settings"]["threads"] == [1]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_nothing_to_time_is_told() -> None:
    with pytest.raises(ConfigError, match="no model given"):
        bench([], None)


def test_an_unknown_reference_is_told(small: Path) -> None:
    with pytest.raises(ConfigError, match="unknown reference 'smal': did you mean"):
        bench([small], [], Settings(reference="smal"), stages=False)


def test_the_text_of_a_result_names_models_and_times(found: BenchResult) -> None:
    lines = str(found).splitlines()
    assert len(lines) == 4
    timing = found.timings[Key("small.tflite", "model", 1)]
    assert lines[0] == f"small.tflite: {timing.median_ms:.3f} ms on 1 thread, 1.00 x small.tflite"
