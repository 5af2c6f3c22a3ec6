from pathlib import Path

import pytest
from rich.console import Console

from distill.errors import CheckpointError
from distill.export.pipeline import ExportResult
from distill.opcheck.advice import advise
from distill.opcheck.check import check_model
from distill.opcheck.report import render, render_matrix, sentences
from distill.opcheck.tables import op_table, type_table
from distill.tflite.builder import integers, single_op_model, variable
from distill.tflite.model import Operator
from distill.tflite.runtimes import Runtime, RuntimeServer, list_runtimes
from distill.tflite.written_values import drop_written_values
from tests.support.environments import run_tensorflow
from tests.support.single_op_cases import constant_output_models


@pytest.mark.parametrize(
    ("op", "since"),
    [
        (("TRANSPOSE", 5), "2.4.0"), (("TRANSPOSE", 6), "2.12.0"),
        (("MIRROR_PAD", 3), "2.13.0"), (("SELECT", 3), "2.12.0"),
        (("ABS", 5), "2.12.0"), (("FILL", 4), "2.12.0"), (("SIGN", 1), "2.11.0"), (("SIGN", 2), "2.12.0"),
        (("TRANSPOSE_CONV", 3), "2.3.0"), (("TRANSPOSE_CONV", 4), "2.13.0"), (("GELU", 1), "2.9.0"),
        (("BATCH_MATMUL", 4), "2.5.0"), (("GATHER", 5), "2.5.0"), (("CONV_2D", 6), "2.9.0"), (("ARG_MAX", 3), "2.9.0"),
        (("STRIDED_SLICE", 6), "2.6.0"), (("FULLY_CONNECTED", 12), "2.17.0"), (("SQRT", 2), "2.21.0"),
    ],
)  # fmt: skip
def test_known_facts_are_in_the_table(op: tuple[str, int], since: str) -> None:
    assert op_table()[op].tflite == since


def test_every_row_says_where_it_is_known_from() -> None:
    """A row without a source cannot be checked."""
    for row in (*op_table().values(), *type_table().values()):
        assert "TensorFlow" in row.source or "measured" in row.source
        assert row.tflite or row.litert or "refused by" in row.source


def test_limits_are_never_older_than_the_operator_s_first_version() -> None:
    oldest = {op: min(version for name, version in op_table() if name == op) for op, _ in op_table()}
    for op in {op for op, _ in type_table()} - {"*"}:
        assert (op, oldest[op]) in op_table()


def test_the_student_runs_where_it_must_and_the_file_agrees(exported: ExportResult) -> None:
    for kind in ("fp32", "fp16"):
        report = check_model(exported.files[kind], "2.11.0")
        assert report.passed
        assert report.exit_status == 0
        assert report.min_runtime == report.declared == "2.3.0"
    assert not check_model(exported.files["fp32"], "2.2").passed


CONVERT = """
import sys, numpy as np, tensorflow as tf

def converter(function, shape):
    return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function(tf.TensorSpec(shape))])

f = tf.function(lambda x: tf.transpose(tf.reshape(x, (1, 4, 2, 4, 2, 3)), (0, 2, 4, 1, 3, 5)))
open(f"{sys.argv[1]}/unfold.tflite", "wb").write(converter(f, (1, 8, 8, 3)).convert())
w = tf.constant(np.random.default_rng(0).normal(size=(256, 64)).astype(np.float32))
c = converter(tf.function(lambda x: tf.matmul(tf.nn.relu(x), w, name="head/dense")), (1, 256))
c.optimizations = [tf.lite.Optimize.DEFAULT]
open(f"{sys.argv[1]}/plain.tflite", "wb").write(c.convert())
"""


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two files of TensorFlow's own converter, with its defaults."""
    folder = tmp_path_factory.mktemp("converted")
    run_tensorflow(CONVERT, str(folder))
    return folder


def test_an_unfold_is_refused_for_2_11(converted: Path) -> None:
    """What timm's block becomes."""
    path = converted / "unfold.tflite"
    report = check_model(path, "2.11.0")
    assert report.exit_status == 1
    assert report.failures == ["TRANSPOSE v6 needs 2.12.0 (rank 6, 1 nodes)"]
    assert report.declared == report.min_runtime == "2.12.0"
    assert check_model(path, "2.12").passed
    assert not report.matrix()["2.11"]
    assert report.matrix()["2.12"]
    (sentence,) = sentences(report)
    assert "unfold" in sentence
    assert "distill/models/mobilevit_export.py" in sentence
    assert "refused by tflite-runtime 2.11.0 and accepted by tflite-runtime 2.12.0" in sentence


def test_axes_count_whatever_version_a_file_declares(tmp_path: Path) -> None:
    """A permute of six axes declared as v1: the old runtime finds the operator and refuses the node."""
    axes = (1, 2, 2, 2, 2, 2)
    node = Operator(
        "TRANSPOSE", (variable("FLOAT32", axes), integers(5, 4, 3, 2, 1, 0)), (variable("FLOAT32", axes[::-1]),)
    )
    path = tmp_path / "declared_v1.tflite"
    path.write_bytes(single_op_model(node))
    report = check_model(path, "2.11.0")
    assert [row.verdict for row in report.rows] == ["type"]
    assert "TRANSPOSE v1 of FLOAT32 and INT32, rank 6, needs 2.12.0" in report.failures[0]
    assert check_model(path, "2.12.0").passed


@pytest.mark.parametrize(("op", "later"), [("GATHER", True), ("*", False)])
def test_an_operator_that_writes_into_stored_values_is_refused(op: str, later: bool, tmp_path: Path) -> None:
    """Every operator and version of it is in 2.11; the GATHER is what a squeeze in MobileViT v1 becomes in onnx2tf."""
    (content,) = (content for (name, _, _), content in constant_output_models().items() if name == op)
    path = tmp_path / "stored.tflite"
    path.write_bytes(content)
    report = check_model(path, "2.11.0")
    name = "RESHAPE" if op == "*" else op
    assert [row.op for row in report.rows if row.verdict == "constant"] == [name]
    (sentence,) = report.explanations
    assert f"{name} v1 writes into stored values, which needs" in sentence
    assert "distill export" in sentence
    assert check_model(path, "2.14.0").passed == check_model(path, "litert").passed == later
    path.write_bytes(drop_written_values(content))
    assert check_model(path, "2.11.0").passed


@pytest.mark.parametrize("runtime", [each for each in list_runtimes() if each.name != "tensorflow"], ids=str)
def test_the_rule_about_stored_values_agrees_with_real_loads(runtime: Runtime, tmp_path: Path) -> None:
    release = f"litert-{runtime.version}" if runtime.name == "litert" else runtime.version
    with RuntimeServer(runtime) as server:
        for index, content in enumerate(constant_output_models().values()):
            path = tmp_path / f"{index}.tflite"
            path.write_bytes(content)
            assert (server.load(path) is None) == check_model(path, release).passed
            path.write_bytes(drop_written_values(content))
            assert server.load(path) is None


def test_types_count_too(tmp_path: Path) -> None:
    path = tmp_path / "abs.tflite"
    path.write_bytes(single_op_model(Operator("ABS", (variable("INT32", (2, 2)),), (variable("INT32", (2, 2)),))))
    assert check_model(path, "2.12.0").passed
    (reason,) = check_model(path, "2.11.0").failures
    assert "ABS v1 of INT32" in reason


def test_a_plain_dynamic_range_conversion_is_refused_with_a_reason(converted: Path) -> None:
    """The commonest way to a file tflite-runtime 2.14 refuses, made with TensorFlow 2.19's defaults."""
    path = converted / "plain.tflite"
    report = check_model(path, "2.14.0")
    assert not report.passed
    (sentence,) = sentences(report)
    for words in (
        "FULLY_CONNECTED v12 needs 2.17.0", "one scale per output channel", "dynamic range", "by default",
        "_experimental_disable_per_channel_quantization_for_dense_layers", "distill export --modes dynamic",
        "measured: refused by",
    ):  # fmt: skip
        assert words in sentence
    (row,) = (row for row in report.rows if row.verdict != "ok")
    assert row.per_channel
    assert row.made_by, "a third party's file is explained by its tensors"
    assert check_model(path, "2.19.1").passed


def test_int4_is_refused_by_2_11_though_tensorflow_s_table_has_it(make_tflite) -> None:
    for op, version in (("CONV_2D", 7), ("DEPTHWISE_CONV_2D", 7), ("FULLY_CONNECTED", 10)):
        report = check_model(make_tflite((op, version)), "2.11.0")
        assert not report.passed
        assert "int4" in report.explanations[0]
        assert check_model(make_tflite((op, version)), "2.13.0").passed


def test_a_module_is_named_where_the_onnx_file_lies_beside(exported: ExportResult) -> None:
    report = check_model(exported.files["fp32"], "2.2")
    (row,) = (row for row in report.rows if row.op == "BATCH_MATMUL")
    assert row.is_modules
    assert any(module.startswith("backbone.") for module in row.made_by)
    assert "Made by " in row.explanation


def test_litert_is_a_runtime_to_ask_for(make_tflite) -> None:
    path = make_tflite(("FULLY_CONNECTED", 12))
    assert check_model(path, "litert").passed
    assert not check_model(make_tflite(("RELU", 99)), "litert").passed


def test_every_advice_has_a_reason_and_a_remedy() -> None:
    for op, version in (*op_table(), ("CUSTOM:FlexErf", 1), ("CUSTOM:Mine", 1), ("STABLEHLO_ADD", 1)):
        advice = advise(op, version)
        assert advice.why
        assert advice.change
    assert "tensorflow package" in advise("CUSTOM:FlexErf", 1).why
    assert "v99" not in advise("RELU", 99).why


def test_what_is_not_known_fails(make_tflite) -> None:
    report = check_model(make_tflite(("RELU", 1), ("RELU", 99), ("FlexErf", 1)), "2.14.0")
    assert {(row.op, row.verdict) for row in report.rows if row.verdict != "ok"} == {
        ("RELU", "unknown"),
        ("CUSTOM:FlexErf", "custom"),
    }
    assert report.min_runtime is None
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(render(report))
    console.print(render_matrix(report))
    text = console.export_text()
    assert "in every release" in text
    assert "fails for 2.14.0" in text
    assert "CUSTOM:FlexErf" in text


def test_missing_and_empty_models(tmp_path: Path, make_tflite) -> None:
    with pytest.raises(CheckpointError, match="no such file; make one"):
        check_model(tmp_path / "absent.tflite", "2.11.0")
    with pytest.raises(CheckpointError, match="without a single operator"):
        check_model(make_tflite(), "2.11.0")
