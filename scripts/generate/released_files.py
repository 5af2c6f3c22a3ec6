"""Write the table that damaged copies of released files are recognised by: `python -m scripts.generate.released_files`.

`python -m scripts.release` and `python -m scripts.release_detector` do it for the files they write.
"""

from pathlib import Path

from distill.files import write_text
from distill.pretrained.released_files import TABLE, table_of

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "checkpoints", ROOT / "distill" / "detection" / "models")


def released_paths() -> list[Path]:
    """Return all files of weights and models that the repository holds."""
    return [path for folder in FOLDERS for path in folder.iterdir() if path.suffix in (".safetensors", ".tflite")]


def write_table() -> None:
    """Write the table."""
    write_text(TABLE, table_of(released_paths()))


if __name__ == "__main__":
    write_table()
