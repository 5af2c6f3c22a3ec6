"""Tests mirror the package: distill/a/b.py has tests/a/test_b.py, or stands here with the file that tests it."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.import_graph import import_graph, imports_of, source_files

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path.relative_to(ROOT / "distill").as_posix()
    for path in (ROOT / "distill").rglob("*.py")
    if not path.name.startswith("__")
)
LONGEST = 350
SOURCES = source_files(ROOT / "distill")


@cache
def graph() -> dict[str, set[str]]:
    """Imports of all modules; read by the worker that runs these tests, not wherever they are collected."""
    return import_graph(SOURCES)


# Folders whose modules are parts of one result.
TESTED_WHOLE = {
    "data/synthetic": "data/test_synthetic.py",  # drawn parts of a face, tested through the rendered image
}
# Module -> the file that tests it together with its neighbours, or through the module that imports it.
TESTED_ELSEWHERE = {
    "bench/device/connect.py": "bench/device/test_run.py",
    "bench/device/connection.py": "bench/device/test_adb.py",
    "bench/device/describe.py": "bench/device/test_run.py",
    "bench/device/measure.py": "bench/device/test_run.py",
    "bench/device/record.py": "bench/device/test_run.py",
    "bench/key.py": "bench/test_run.py",
    "bench/memory_worker.py": "bench/test_memory.py",
    "bench/onnx_graph.py": "bench/test_models.py",
    "bench/peers.py": "bench/test_run.py",
    "bench/result.py": "bench/test_run.py",
    "bench/dispatch.py": "bench/device/test_run.py",
    "bench/runners.py": "tflite/test_split.py",
    "bench/stages.py": "bench/test_run.py",
    "cli/bench.py": "bench/test_run.py",
    "cli/calibrate.py": "export/test_calibrate_detector.py",
    "cli/dashboard.py": "report/dashboard/test_page.py",
    "cli/data/check.py": "cli/test_data.py",
    "cli/data/label.py": "data/test_label_page.py",
    "cli/data/pack.py": "data/test_pack.py",
    "cli/data/prepare.py": "cli/test_data.py",
    "cli/data/sheet.py": "cli/test_data.py",
    "cli/data/sources.py": "cli/test_data.py",
    "cli/data/synth.py": "cli/test_data.py",
    "cli/demo.py": "web/test_site.py",
    "cli/detector.py": "training/test_detector_fit.py",
    "cli/doctor.py": "cli/test_main.py",
    "cli/export.py": "export/verify/test_parity_report.py",
    "cli/detectors.py": "evaluate/test_detector.py",
    "cli/evaluate_detector.py": "evaluate/test_detector.py",
    "cli/export_detector.py": "export/test_detector_checkpoint.py",
    "cli/models.py": "cli/test_main.py",
    "cli/predict.py": "pretrained/test_resources.py",
    "cli/record.py": "test_end_to_end.py",
    "cli/report.py": "test_docs.py",
    "cli/student.py": "training/test_killed.py",
    "cli/submit.py": "test_docs.py",
    "cli/teacher.py": "training/test_killed.py",
    "training/train.py": "test_api.py",
    "cli/sync.py": "tracking/test_sync.py",
    "data/build.py": "training/test_build.py",
    "data/check/columns.py": "data/check/test_shards.py",
    "data/check/drawing.py": "cli/test_data.py",
    "data/check/face_hash.py": "data/check/test_check.py",
    "data/check/duplicates.py": "data/check/test_check.py",
    "data/check/finding.py": "data/check/test_check.py",
    "data/check/hashes.py": "data/check/test_check.py",
    "data/check/photos.py": "data/check/test_check.py",
    "data/check/points.py": "data/check/test_check.py",
    "data/check/shape.py": "data/check/test_check.py",
    "data/check/tables.py": "cli/test_data.py",
    "data/crops.py": "export/test_calibration.py",
    "data/photos/box_files.py": "data/photos/test_readers.py",
    "data/photos/config.py": "data/photos/test_build.py",
    "data/photos/datamodule.py": "training/test_detector_fit.py",
    "data/photos/dataset.py": "data/photos/test_build.py",
    "data/photos/records.py": "data/photos/test_build.py",
    "data/photos/stored_config.py": "export/test_detector_checkpoint.py",
    "data/photos/wider_boxes.py": "data/photos/test_readers.py",
    "data/readers/cofw_photos.py": "data/readers/test_cofw.py",
    "data/readers/scheme_choice.py": "data/readers/test_csv_points.py",
    "data/sensor_noise.py": "data/test_augment.py",
    "detection/blazeface_boxes.py": "detection/test_blazeface.py",
    "detection/detection.py": "detection/test_detector.py",
    "detection/retinaface/blocks.py": "detection/retinaface/test_net.py",
    "detection/retinaface/priors.py": "detection/retinaface/test_anchors.py",
    "doctor/check.py": "test_doctor.py",
    "doctor/known_bad.py": "test_doctor.py",
    "doctor/packages.py": "test_doctor.py",
    "doctor/probes.py": "test_doctor.py",
    "environments/known.py": "environments/test_find.py",
    "errors.py": "test_architecture.py",
    "evaluate/faces.py": "evaluate/test_evaluate.py",
    "evaluate/suite.py": "report/test_runs.py",
    "export/check.py": "cli/test_check.py",
    "export/config.py": "export/test_calibration.py",
    "export/detector_calibration.py": "scripts/test_detector_studies.py",
    "export/export.py": "export/verify/test_parity_report.py",
    "export/lanes/channels_first.py": "export/test_to_tflite.py",
    "export/lanes/classic_worker.py": "export/lanes/test_classic.py",
    "export/lanes/job.py": "export/lanes/test_modern.py",
    "export/lanes/modern_worker.py": "export/lanes/test_modern.py",
    "export/quantization_modes.py": "export/test_pipeline.py",
    "export/rewrites/generic.py": "models/test_lite_hrnet_export.py",
    "export/rewrites/rewrite.py": "opcheck/test_match_values.py",
    "export/verify/litert_torch_worker.py": "export/verify/test_cross_check.py",
    "export/verify/tolerances.py": "export/verify/test_cross_check.py",
    "inference/exported.py": "inference/test_backend.py",
    "inference/facemesh.py": "evaluate/test_facemesh.py",
    "inference/flip.py": "inference/test_backend.py",
    "inference/load.py": "inference/test_backend.py",
    "inference/onnx_session.py": "inference/test_landmarker.py",
    "inference/torch_backend.py": "inference/test_backend.py",
    "inference/track_config.py": "inference/test_tracking.py",
    "landmarks/parse.py": "landmarks/test_schemes.py",
    "losses/aam.py": "losses/test_supervised.py",
    "losses/bce.py": "losses/test_maps.py",
    "losses/built_in.py": "losses/test_kd_options.py",
    "losses/config.py": "losses/test_distillation.py",
    "losses/kd/coordinate.py": "losses/test_distillation.py",
    "losses/kd/gaussian.py": "losses/test_distillation.py",
    "losses/kd/maps.py": "losses/test_distillation.py",
    "losses/map_losses.py": "losses/test_maps.py",
    "losses/mse.py": "losses/test_maps.py",
    "losses/reduction.py": "losses/test_points.py",
    "losses/registry.py": "test_plugins.py",
    "models/cards.py": "models/test_lite_hrnet.py",
    "models/channel_weighting.py": "models/test_lite_hrnet.py",
    "models/detector_checkpoint.py": "export/test_detector.py",
    "models/config.py": "training/test_build.py",
    "models/fusion.py": "models/test_lite_hrnet.py",
    "models/heatmap_net.py": "models/test_zoo.py",
    "models/map_head.py": "models/test_confidence.py",
    "models/necks.py": "models/test_zoo.py",
    "models/plain_norm.py": "models/test_mobilevit_v2_export.py",
    "models/regression.py": "models/test_efld.py",
    "opcheck/advice.py": "opcheck/test_check.py",
    "opcheck/tables.py": "opcheck/test_check.py",
    "report/bench.py": "bench/test_run.py",
    "report/bench_device.py": "bench/device/test_run.py",
    "report/bench_json.py": "bench/test_run.py",
    "report/curves.py": "images/test_figures.py",
    "report/dashboard/collect.py": "report/dashboard/test_page.py",
    "report/dashboard/data.py": "report/dashboard/test_page.py",
    "report/dashboard/lineage_svg.py": "report/dashboard/test_page.py",
    "report/gallery.py": "report/test_runs.py",
    "report/pareto.py": "bench/test_run.py",
    "report/parity.py": "export/verify/test_parity_report.py",
    "report/sections.py": "report/test_runs.py",
    "report/sources.py": "report/test_runs.py",
    "report/style.py": "report/test_page.py",
    "report/tables.py": "tracking/test_attach.py",
    "submission/package_runtime.py": "submission/test_dry_run.py",
    "submission/samples.py": "submission/test_build.py",
    "submission/techreport.py": "submission/test_build.py",
    "tflite/builder.py": "tflite/test_complexity.py",
    "tflite/flatbuffer.py": "tflite/test_mutants.py",
    "tflite/integers.py": "bench/test_other_runtimes.py",
    "tflite/interpreter.py": "tflite/test_float_operators.py",
    "tflite/model.py": "tflite/test_serialization.py",
    "tflite/runtime_worker.py": "tflite/test_runtimes.py",
    "training/base_task.py": "training/test_tasks.py",
    "training/callbacks/seeding.py": "training/test_killed.py",
    "training/callbacks/stop_on_signal.py": "training/test_interrupt.py",
    "training/detector_config.py": "training/test_detector_fit.py",
    "training/detector_lineage.py": "training/test_detector_fit.py",
    "training/detector_task.py": "training/test_detector_fit.py",
    "tracking/artifact.py": "tracking/test_lineage.py",
    "tracking/graph.py": "tracking/test_lineage.py",
    "tracking/result_tables.py": "tracking/test_attach.py",
    "tracking/run_folder.py": "tracking/test_attach.py",
    "tracking/wandb_artifacts.py": "tracking/test_attach.py",
    "tracking/wandb_job.py": "tracking/test_attach.py",
    "tracking/wandb_server.py": "training/loggers/test_wandb.py",
    "tracking/wandb_settings.py": "training/loggers/test_wandb.py",
    "training/session.py": "training/test_interrupt.py",
    "training/summary.py": "training/test_fit.py",
    "training/teacher_cache/cached_teacher.py": "training/test_distillation_task.py",
    "training/teacher_cache/factory.py": "training/test_distillation_task.py",
    "training/teacher_cache/per_face.py": "training/test_distillation_task.py",
}

# Module -> what its test calls it by, where no import leads from the test to the module.
CALLED_AS = {
    "bench/memory_worker.py": "peak_memory",  # a child process
    "cli/data/sheet.py": '"sheet"',  # commands are imported by name
    "cli/record.py": "main(",  # imported by the commands when they have a result
    "data/check/drawing.py": "--sheets",  # functions of `check_data`, by its options and findings
    "data/check/hashes.py": "hashes=",
    "data/check/points.py": "tiny face",
    "data/check/tables.py": "nothing found",
    "export/lanes/classic_worker.py": 'lane="classic"',  # a child process
    "inference/torch_backend.py": "open_backend",  # imported when a checkpoint is opened
    "models/heatmap_net.py": "create_model",  # networks are created by name
    "models/necks.py": "neck=",
    "models/regression.py": "create_model",
    "training/callbacks/seeding.py": "SIGKILL",  # callbacks of `build_trainer`, in a child process
    "training/callbacks/stop_on_signal.py": "train_with_signals",
}


def mirrored(module: str) -> str:
    path = Path(module)
    return (path.parent / f"test_{path.stem.lstrip('_')}.py").as_posix()


def file_of(module: str) -> str:
    """Return the test file of a module, as this file states it."""
    folder = TESTED_WHOLE.get(Path(module).parent.as_posix())
    return TESTED_ELSEWHERE.get(module) or folder or mirrored(module)


def defined_in(path: Path) -> list[str]:
    """Return the public functions and classes of a module."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [name for name in names if not name.startswith("_")]


def with_fixtures(path: Path) -> list[Path]:
    """Return a test file, the modules of tests/support that it imports, and the conftest.py of its folders."""
    support = re.findall(r"^from (tests\.support\.\w+) import", path.read_text(encoding="utf-8"), re.MULTILINE)
    folders = path.relative_to(ROOT / "tests").parents
    conftests = [ROOT / "tests" / folder / "conftest.py" for folder in folders if folder != Path()]
    return [path, *(ROOT / f"{name.replace('.', '/')}.py" for name in support), *filter(Path.is_file, conftests)]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_its_tests(module: str) -> None:
    assert (ROOT / "tests" / file_of(module)).is_file(), f"add tests/{mirrored(module)} or an entry in this file"


@pytest.mark.parametrize("module", [name for name in MODULES if file_of(name) != mirrored(name)])
def test_a_file_that_is_named_tests_the_module(module: str) -> None:
    """It names the module or what the module defines, or imports a module that imports it; its fixtures count."""
    files = with_fixtures(ROOT / "tests" / file_of(module))
    texts = [path.read_text(encoding="utf-8") for path in files]
    if word := CALLED_AS.get(module):
        assert word in texts[0], f"tests/{file_of(module)} does not contain {word}"
        return
    dotted = f"distill.{module.removesuffix('.py').replace('/', '.')}"
    names = [module, dotted, *defined_in(ROOT / "distill" / module)]
    named = any(re.search(rf"\b{re.escape(name)}\b", text) for name in names for text in texts)
    imported = set[str]().union(*(imports_of(path, SOURCES) for path in files))
    assert named or any(dotted in graph()[name] for name in imported), (
        f"tests/{file_of(module)} does not reach {dotted}"
    )


def test_exceptions_are_needed() -> None:
    assert not set(CALLED_AS) - set(TESTED_ELSEWHERE)
    assert not set(TESTED_ELSEWHERE) - set(MODULES)
    assert not [module for module in TESTED_ELSEWHERE if (ROOT / "tests" / mirrored(module)).is_file()]


def test_test_files_are_short() -> None:
    tests = ROOT / "tests"
    lengths = {p.relative_to(tests).as_posix(): len(p.read_text().splitlines()) for p in tests.rglob("*.py")}
    assert not {name for name, length in lengths.items() if length > LONGEST}
