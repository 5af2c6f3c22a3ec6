"""`distill export MODEL`: PyTorch -> ONNX -> TFLite, each hop compared with the last in pixels."""

from pathlib import Path

from distill.config import FacesConfig
from distill.options import options_of, parse

_DESCRIPTION = "Convert a checkpoint to ONNX and TFLite; files appear only when every check of every hop passed."


def export(
    model: Path,
    out: Path | None = None,
    data: FacesConfig | None = None,
    faces: int = 32,
    runtime: str = "2.11.0",
    kinds: list[str] = ["fp32", "fp16"],  # noqa: B006  never changed
    stem: str = "student",
) -> int:
    """Export a model.

    Args:
        model: a .ckpt or .safetensors file.
        out: folder for the files; `export` beside the model by default.
        data: faces to compare the hops on; generated faces by default.
        faces: how many of them.
        runtime: oldest TFLite runtime that must have every operator.
        kinds: TFLite files to make: `fp32`, `fp16`.
        stem: the files are called STEM.onnx, STEM_fp32.tflite and so on.
    """
    from rich.console import Console

    from distill.data.crops import face_crops
    from distill.export.parity import render
    from distill.export.pipeline import export as convert
    from distill.models.checkpoint import load_model

    net, spec = load_model(model)
    crops, landmarks = face_crops(spec, faces, data.format, data.root, data.subset) if data else face_crops(spec, faces)
    result = convert(net, spec, out or model.parent / "export", crops, landmarks, runtime, kinds, stem)
    console = Console()
    console.print(render(result.parity))
    for path in result.files.values():
        console.print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
    return 0


def run(argv: list[str]) -> int:
    return export(**parse(options_of("export", _DESCRIPTION, export, "model"), argv, "model"))
