import json
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from distill.bench import engines
from distill.bench.cuda_engine import Gpu
from distill.bench.engines import engine_rows, require_engine
from distill.bench.key import Key
from distill.bench.latency import Loaded, Measured
from distill.bench.models import open_model
from distill.bench.result import Settings
from distill.bench.run import bench
from distill.bench.runners import tflite_outputs
from distill.cli.bench import run
from distill.errors import CheckpointError, ConfigError
from distill.report.bench import render
from distill.report.bench_json import to_json
from tests.support.fake_openvino import FakeOpenVino
from tests.support.tiny_models import write_tiny_tflite

NAME = "OpenVINO 2026.4.1"
QUICK = Settings((1, 2), rounds=5, warmup=0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_tflite(tmp_path_factory.mktemp("engines") / "tiny.tflite")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeOpenVino:
    module = FakeOpenVino()
    monkeypatch.setitem(sys.modules, "openvino", module)
    monkeypatch.setattr(engines, "try_openvino", lambda path: None)  # a child process has no stand-in
    return module


def test_openvino_has_rows_beside_litert_in_the_same_rounds(tiny: Path, small: Path, fake: FakeOpenVino) -> None:
    found = bench([small, tiny], [], QUICK, stages=False, engine="openvino")
    rows = [key for key in found.timings if key.engine == NAME]
    assert [(key.name, key.threads) for key in rows] == [
        ("small.tflite", 1), ("small.tflite", 2), ("tiny.tflite", 1), ("tiny.tflite", 2),
    ]  # fmt: skip
    first = found.timings[Key("small.tflite", "model", 1)]
    assert found.timings[rows[2]].ratio == pytest.approx(found.timings[rows[2]].median_ms / first.median_ms)
    assert [settings["INFERENCE_NUM_THREADS"] for settings in fake.settings] == [1, 2, 1, 2]
    assert all(found.parity[key].max == 0 for key in rows)
    assert found.energy_mj(rows[0]) is not None
    assert "`infer` of OpenVINO" in found.inside


def test_tables_and_json_state_the_differences(tiny: Path, fake: FakeOpenVino) -> None:
    fake.wrong = 1e-5
    found = bench([tiny], [], QUICK, stages=False, engine="openvino")
    console = Console(width=120, record=True, file=StringIO())
    console.print(render(found))
    words = " ".join(console.export_text().split())
    assert words.count(f"outputs of tiny.tflite in {NAME}: max") == 1
    times = {(row["engine"], row["threads"]): row for row in to_json(found, "c")["times"] if row["part"] == "model"}
    span = max(np.ptp(np.append(values, 0)) for values in tflite_outputs(tiny))
    assert times[NAME, 1]["parity"]["max"] == pytest.approx(1e-5 / span, rel=0.05)
    assert "parity" not in times[None, 1]


def test_outputs_of_another_network_are_not_timed(tiny: Path, small: Path, fake: FakeOpenVino) -> None:
    fake.wrong = 0.1
    with pytest.raises(CheckpointError, match=rf"tiny.tflite in {NAME}: its outputs are not those of LiteRT: diff"):
        bench([tiny], [], QUICK, stages=False, engine="openvino")


def test_a_file_that_is_refused_is_named_without_its_folder(
    tiny: Path, small: Path, fake: FakeOpenVino, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(path: Path) -> None:
        if path.name == "tiny.tflite":
            raise CheckpointError(f"{path.resolve()}: crashes its runtime (SIGSEGV); export or download it again")

    monkeypatch.setattr(engines, "try_openvino", crash)
    found = bench([small, tiny], [], QUICK, stages=False, engine="openvino")
    reason = found.skipped[f"tiny.tflite in {NAME}"]
    assert reason == "crashes its runtime (SIGSEGV); export or download it again"
    assert str(tiny.parent) not in json.dumps(to_json(found, "c"))


@pytest.mark.parametrize(("engine", "others"), [("openvino", "net.ckpt"), ("cuda", "net.tflite")])
def test_files_that_an_engine_does_not_run_are_refused_before_anything_is_timed(
    engine: engines.Engine, others: str, fake: FakeOpenVino, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "open_gpu", lambda: Gpu("a card", None))
    monkeypatch.setattr("distill.bench.models.refusal", lambda path: None)
    path = tmp_path / others
    path.write_bytes(b"x")
    with pytest.raises(ConfigError, match=f"{others}: --target {engine} runs .*onnx"):
        require_engine(engine, [path])


def test_a_gpu_has_one_row_in_each_precision_and_no_power_of_a_core(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the outputs of LiteRT as those of the GPU: what the rows become, not what runs there."""
    outputs = tflite_outputs(tiny)
    monkeypatch.setattr(engines, "open_gpu", lambda: Gpu("a card", SimpleNamespace()))
    monkeypatch.setitem(engines._TAKES, "cuda", (".tflite",))
    monkeypatch.setattr(engines, "onnx_modes", lambda path: ("fp32", "tf32", "fp16"))
    shift = {"fp32": 0.0, "tf32": 1e-3, "fp16": 1.0}
    monkeypatch.setattr(
        engines,
        "load_onnx_cuda",
        lambda path, mode, gpu: Loaded(lambda: Measured(1.5), [values + shift[mode] for values in outputs]),
    )
    found = bench([tiny], [], QUICK, stages=False, engine="cuda", accuracy=["tiny.tflite=70"])
    rows = [key for key in found.timings if key.on_gpu]
    assert [(key.engine, key.threads) for key in rows] == [("CUDA fp32", 1), ("CUDA tf32", 1)]
    assert found.timings[rows[0]].median_ms == 1.5
    assert found.energy_mj(rows[0]) is found.peak_share(rows[0]) is found.score(rows[0]) is None
    assert found.energy_mj(Key("tiny.tflite", "model", 1)) is not None
    assert found.machine["gpu"] == "a card"
    assert "not those of LiteRT" in found.skipped["tiny.tflite in CUDA fp16"]


def test_the_numbers_of_a_gpu_must_be_exact_in_32_bits_alone(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = tflite_outputs(tiny)
    monkeypatch.setitem(engines._TAKES, "cuda", (".tflite",))
    monkeypatch.setattr(engines, "onnx_modes", lambda path: ("fp32", "tf32"))
    monkeypatch.setattr(
        engines, "load_onnx_cuda", lambda path, mode, gpu: Loaded(lambda: None, [values + 5e-3 for values in outputs])
    )
    rows = engine_rows("cuda", [open_model(tiny, "tiny")], (1,), Gpu("a card", None))
    assert [key.engine for key in rows.calls] == ["CUDA tf32"]


def test_options_of_a_device_have_no_effect_on_this_machine(small: Path) -> None:
    with pytest.raises(ConfigError, match="--delegates has no effect with --target openvino"):
        run([str(small), "--target", "openvino", "--delegates", "cpu", "--log.run", "none"])
