import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.cli import export as command
from distill.export import pipeline
from distill.export.config import QuantizeConfig
from distill.export.pipeline import Conversion, ExportResult
from distill.export.verify.parity_report import ConversionReport, cells, conversion_report, headings
from distill.export.verify.sensitivity import LayerCost
from distill.export.verify.tolerances import Gate
from distill.files import write_json
from distill.report.runs import build
from distill.report.sources import read_source
from distill.system.publication import Staging


@pytest.fixture
def conversion(exported: ExportResult, net, spec, crops, tmp_path: Path) -> Conversion:
    files = {mode: exported.files[mode] for mode in ("onnx", "fp32", "int8")}
    results = tuple(result for result in exported.parity.results if result.name.partition(" on ")[0] in files)
    measured = replace(exported.parity, results=results)
    staging = Staging(tmp_path, tmp_path)
    # Most of the backbone too: each layer that is rounded takes a run.
    declared = QuantizeConfig().for_network(net).modules("int8")
    floats = QuantizeConfig([*declared, r"backbone\.(?!stages\.1).*"])
    return Conversion(files, measured, exported.ops, spec, crops[:1], floats, None, staging, "modern")


@pytest.mark.slow
def test_every_stage_has_its_cells_and_floats_are_not_blamed(conversion: Conversion, tmp_path: Path) -> None:
    report = conversion_report(
        conversion, "student", "noise", {"fp32": {1: 2.0, 2: 1.5}}, {"fp32": 10_000_000}, unstable=False
    )
    groups = list(report.rows[1].parity.groups)
    rows = {row.name: dict(zip(headings(groups), cells(row, groups), strict=True)) for row in report.rows}
    assert list(rows) == ["torch", "onnx", "fp32", "int8"]
    assert rows["fp32"]["ms ×2"] == "1.50"
    assert rows["fp32"]["peak MB"] == "10.00"
    assert rows["int8"]["ms ×1"] == "–"
    assert set(groups) == {"brows", "nose", "eyes", "mouth"}
    write_json(tmp_path / "parity.json", report.to_dict())
    page = build([read_source(tmp_path)], "t").html()
    for part in ("What each file of", "10", "1.5", f"{report.rows[-1].parity.max_px:.4g}"):
        assert part in page
    modules = {cost.module for cost in report.layers["int8"]}
    assert "head" not in modules
    assert "head.heatmap" in modules


@pytest.fixture
def quick(reuse_exported: None, net, spec, crops, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command find a network, faces and conversions that are there already."""
    monkeypatch.setattr("distill.models.checkpoint.load_model", lambda path, scheme: (net, spec))
    monkeypatch.setattr("distill.export.export.face_crops", lambda spec, count, *_: (crops[:1], POINTS))
    monkeypatch.setattr(pipeline, "sensitivity", lambda *_: [LayerCost("head.heatmap", 1.0, 2.0)])


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latency and memory are measured by `test_the_command_writes_page_and_numbers`."""

    def report(conversion: Conversion, net, model: str, faces: str, rounds: int) -> ConversionReport:
        return conversion_report(conversion, model, faces, {}, {}, unstable=False)

    monkeypatch.setattr("distill.report.parity.measure_report", report)


POINTS = np.random.default_rng(1).random((1, 51, 2))
ARGUMENTS = ["net.ckpt", "--parity_report", "--modes", "[fp32, int8]", "--rounds", "5", "--calibration.faces", "2"]


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_the_command_writes_page_and_numbers(tmp_path: Path) -> None:
    open_gates = [f"--gates.int8.{name}=64" for name in ("max_px", "mean_px", "nme_rise")]
    assert command.run([*ARGUMENTS, "--out", str(tmp_path), *open_gates]) == 0
    report = json.loads((tmp_path / "parity.json").read_text())
    assert [row["name"] for row in report["rows"]] == ["torch", "onnx", "fp32", "int8"]
    assert all(row["latency_ms"]["1"] > 0 and row["latency_ms"]["2"] > 0 for row in report["rows"])
    assert all(row["peak_bytes"] > 0 for row in report["rows"][1:])
    assert report["layers"]["int8"] == [{"module": "head.heatmap", "mean_px": 1.0, "max_px": 2.0}]
    page = (tmp_path / "parity.html").read_text()
    assert "<img" in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.usefixtures("quick", "untimed")
def test_a_missed_gate_writes_only_the_requested_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from distill.cli.main import main

    closed = ["--gates.int8.max_px", "0", "--gates.int8.mean_px", "0"]
    page = tmp_path / "why.html"
    status = main(["export", *ARGUMENTS, "--out", str(tmp_path / "out"), "--page", str(page), *closed])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert status == 2
    assert error.startswith("error: int8 on litert")
    assert "worst landmarks" in error
    assert "most sensitive layers head.heatmap (1.000 px)" in error
    assert "missed" in page.read_text()
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("quick", "untimed")
def test_faces_of_a_data_set_are_not_shown_unasked(tmp_path: Path) -> None:
    wide = [f"--gates.int8.{name}=64" for name in ("max_px", "mean_px", "nme_rise")]
    command.run([*ARGUMENTS, "--out", str(tmp_path), "--data.root", str(tmp_path), *wide])
    assert "<img" not in (tmp_path / "parity.html").read_text()


def test_gates_are_options() -> None:
    from distill.options.parser import options_of, parse

    values = parse(options_of("export", "", command.export, "model"), ["net.ckpt", "--gates.int8.max_px", "3"], "model")
    assert values["gates"].by_stage()["int8"] == Gate(3, 0.6, 0.05)
