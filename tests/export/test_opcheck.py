import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from distill.errors import CheckpointError, ConfigError
from distill.export.opcheck import check_model, op_table, parse_version, render
from distill.export.pipeline import ExportResult


def test_versions_are_numbers_not_text() -> None:
    assert parse_version("2.9") < parse_version("2.11.0") < parse_version("2.11.1")
    for bad in ("2", "latest", "2.x", "3.0.0", "2.11.0-rc1"):
        with pytest.raises(ConfigError, match=r"give one like 2\.11\.0"):
            parse_version(bad)


@pytest.mark.parametrize(
    ("op", "since"),
    [
        (("TRANSPOSE", 5), "2.4.0"), (("TRANSPOSE", 6), "2.12.0"),
        (("MIRROR_PAD", 3), "2.12.0"), (("SELECT", 3), "2.12.0"),
        (("ABS", 5), "2.12.0"), (("FILL", 4), "2.12.0"), (("SIGN", 1), "2.11.0"), (("SIGN", 2), "2.12.0"),
        (("TRANSPOSE_CONV", 3), "2.3.0"), (("TRANSPOSE_CONV", 4), "2.13.0"), (("GELU", 1), "2.9.0"),
        (("BATCH_MATMUL", 4), "2.5.0"), (("GATHER", 5), "2.5.0"), (("CONV_2D", 6), "2.9.0"), (("ARG_MAX", 3), "2.9.0"),
        (("STRIDED_SLICE", 6), "2.6.0"), (("FULLY_CONNECTED", 12), "2.17.0"), (("SQRT", 2), "2.21.0"),
    ],
)  # fmt: skip
def test_published_facts_are_in_the_table(op: tuple[str, int], since: str) -> None:
    assert op_table()[op] == since


def test_the_student_runs_where_it_must_and_the_file_agrees(exported: ExportResult) -> None:
    for kind in ("fp32", "fp16"):
        report = check_model(exported.files[kind], "2.11.0")
        assert report.passed
        assert report.exit_status == 0
        assert report.min_runtime == report.declared == "2.3.0"
    assert not check_model(exported.files["fp32"], "2.2").passed


def test_an_unfold_is_refused_for_2_11(tmp_path: Path) -> None:
    """What timm's block becomes, written by TensorFlow's own converter."""
    path = tmp_path / "unfold.tflite"
    code = f"""
import tensorflow as tf
f = tf.function(lambda x: tf.transpose(tf.reshape(x, (1, 4, 2, 4, 2, 3)), (0, 2, 4, 1, 3, 5)))
g = f.get_concrete_function(tf.TensorSpec((1, 8, 8, 3)))
open({str(path)!r}, "wb").write(tf.lite.TFLiteConverter.from_concrete_functions([g]).convert())
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    report = check_model(path, "2.11.0")
    assert report.exit_status == 1
    assert report.failures == ["TRANSPOSE v6 needs 2.12.0 (rank 6, 1 nodes)"]
    assert report.declared == report.min_runtime == "2.12.0"
    assert check_model(path, "2.12").passed


def test_wheels_refuse_the_newer_dense_layer(make_tflite) -> None:
    """The converter's dynamic-range default; tflite-runtime 2.14 refuses it when loading."""
    assert not check_model(make_tflite(("FULLY_CONNECTED", 12)), "2.14.0").passed
    assert not check_model(make_tflite(("CONV_2D", 7)), "2.11.0").passed


def test_what_is_not_known_fails(make_tflite) -> None:
    report = check_model(make_tflite(("RELU", 1), ("RELU", 99), ("FlexErf", 1)), "2.14.0")
    assert {(row.op, row.verdict) for row in report.rows if row.verdict != "ok"} == {
        ("RELU", "unknown"),
        ("CUSTOM:FlexErf", "custom"),
    }
    assert report.min_runtime is None
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(render(report))
    text = console.export_text()
    assert "fails for 2.14.0" in text
    assert "CUSTOM:FlexErf" in text


def test_missing_and_empty_models(tmp_path: Path, make_tflite) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        check_model(tmp_path / "absent.tflite", "2.11.0")
    with pytest.raises(CheckpointError, match="without a single operator"):
        check_model(make_tflite(), "2.11.0")
