"""Put a trained and exported run into checkpoints/: `python -m scripts.release runs/student student_128`.

Writes NAME.safetensors in half precision, NAME_fp16.tflite (or another --kind) with its .json, SHA256SUMS and the table
of released files in the package; of a teacher only the weights (`--teacher`). The model card is written by hand.
"""

import argparse
from pathlib import Path

from distill.data.crops import face_crops
from distill.export.quantization_modes import MODES
from distill.export.verify.parity import measure
from distill.export.verify.tolerances import GateConfig
from distill.files import copy_file, sha256, write_text
from distill.inference.load import open_backend
from distill.inference.torch_backend import TorchBackend
from distill.landmarks import load_scheme
from distill.models.checkpoint import load_model, save_model
from distill.spec import read_sidecar, write_sidecar
from scripts.generate.released_files import write_table

FOLDER = Path("checkpoints")
FACES = 16


def release(run: Path, name: str, kind: str, stem: str, scheme: str | None = None) -> None:
    """Write the files of one model."""
    net, spec = load_model(run / "best.ckpt", scheme)
    exported, target = run / "export" / f"{stem}_{kind}.tflite", FOLDER / f"{name}_{kind}.tflite"
    if read_sidecar(exported) != spec:
        raise SystemExit(f"{exported} was made for another network or crop than {run}/best.ckpt; export again")
    # Weights of another run would move the points by more than any export may.
    crops, landmarks = face_crops(spec, FACES)
    gate = GateConfig().by_stage()[kind]
    found = measure(
        TorchBackend(net, spec, batch_size=1),
        {kind: open_backend(exported)},
        crops,
        landmarks,
        load_scheme(spec.scheme),
        {kind: gate},
    )
    if found.failed:
        raise SystemExit(f"{exported} is not {run}/best.ckpt: {'; '.join(found.results[0].missed)}; export again")
    save_model(FOLDER / f"{name}.safetensors", net, spec, half=True)
    copy_file(exported, target)
    write_sidecar(target, spec)


def release_teacher(run: Path, name: str) -> None:
    """Write the weights of one teacher: training and evaluation read them, no device does."""
    net, spec = load_model(run / "best.ckpt")
    save_model(FOLDER / f"{name}.safetensors", net, spec, half=True)


def write_sums() -> None:
    """Write the hashes of all files, and the table that damaged copies of them are recognised by."""
    files = sorted(path for path in FOLDER.iterdir() if path.suffix in (".safetensors", ".tflite", ".json"))
    write_text(FOLDER / "SHA256SUMS", "".join(f"{sha256(path)}  {path.name}\n" for path in files))
    write_table()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--kind", default="fp16", choices=MODES, help="which of the exported files")
    parser.add_argument("--stem", default="student", help="what the exported files are called")
    parser.add_argument("--scheme", help="the files were exported with this --scheme")
    parser.add_argument("--teacher", action="store_true", help="a teacher: weights only, in half precision")
    options = parser.parse_args()
    if options.teacher:
        release_teacher(options.run, options.name)
    else:
        release(options.run, options.name, options.kind, options.stem, options.scheme)
    write_sums()
