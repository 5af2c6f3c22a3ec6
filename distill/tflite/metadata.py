"""TFLite metadata: what a file takes and returns, in the form that standard readers and Android Studio show.

A flatbuffer in the file's own metadata, and text files in a zip archive behind it, as MediaPipe's metadata writer packs
them (https://ai.google.dev/edge/litert/models/metadata).
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distill.tflite.flatbuffer import DamagedError, Fields, Format, Table, decode, encode
from distill.tflite.serialization import read_model, write_model

NAME = "TFLITE_METADATA"
_FORMAT = Format(b"M001", "ModelMetadata", "metadata.fbs")
_RGB, _AXIS_LABELS = 1, 2
# What readers of the first version of the format understand.
_MIN_PARSER = "1.0.0"
_DATE = (1980, 1, 1, 0, 0, 0)  # the least that a zip archive can state: equal models are equal files


@dataclass(frozen=True)
class ImageInput:
    """An input image: (value of a pixel from 0 to 255 - mean) / std is what the file takes."""

    name: str
    description: str
    mean: float
    std: float

    def fields(self) -> Fields:
        content = {"content_properties": Table("ImageProperties", {"color_space": _RGB})}
        options = Table("NormalizationOptions", {"mean": (self.mean,), "std": (self.std,)})
        low, high = ((value - self.mean) / self.std for value in (0, 255))
        return {
            "name": self.name,
            "description": self.description,
            "content": content,
            "process_units": [{"options": options}],
            "stats": {"max": (high,), "min": (low,)},
        }


@dataclass(frozen=True)
class Output:
    """An output of numbers; `labels` is the text file that names the entries of its second axis."""

    name: str
    description: str
    labels: str = ""

    def fields(self) -> Fields:
        file = {"name": self.labels, "description": "names of the points", "type": _AXIS_LABELS}
        return {
            "name": self.name,
            "description": self.description,
            "content": {"content_properties": Table("FeatureProperties")},
            "associated_files": [file] if self.labels else None,
        }


def with_metadata(
    blob: bytes,
    about: Mapping[str, str],
    inputs: Sequence[ImageInput],
    outputs: Sequence[Output],
    files: Mapping[str, str],
) -> bytes:
    """Return a TFLite file with metadata instead of those it had.

    Args:
        blob: the file.
        about: `name`, `description`, `license` and so on of the model; empty ones are left out.
        inputs, outputs: in the order of the main graph.
        files: content of the text files by name.
    """
    graph = {
        "input_tensor_metadata": [entry.fields() for entry in inputs],
        "output_tensor_metadata": [entry.fields() for entry in outputs],
    }
    root = {key: text for key, text in about.items() if text}
    model = read_model(blob)
    model.metadata[NAME] = encode({**root, "subgraph_metadata": [graph], "min_parser_version": _MIN_PARSER}, _FORMAT)
    return write_model(model) + _archive(files)


def _archive(files: Mapping[str, str]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name, text in files.items():
            packed.writestr(zipfile.ZipInfo(name, _DATE), text)
    return archive.getvalue() if files else b""


def read_metadata(metadata: Mapping[str, bytes]) -> Fields | None:
    """Return the metadata of a model (`Model.metadata`) as the fields of their schema; None where it has none.

    Damaged ones count as none: they say nothing about whether a file runs.
    """
    content = metadata.get(NAME)
    if content is None or content[4:8] != _FORMAT.identifier:
        return None
    try:
        return decode(bytes(content), _FORMAT)
    except (DamagedError, IndexError):
        return None


def sentences(metadata: Fields) -> list[str]:
    """Return metadata as lines of text."""
    first: Fields = next(iter(metadata.get("subgraph_metadata") or ()), {})
    lines = [f"{key}: {metadata[key]}" for key in ("name", "description", "author", "license") if metadata.get(key)]
    for side in ("input", "output"):
        tensors = first.get(f"{side}_tensor_metadata") or ()
        lines += [f"{side} {tensor.get('name', '')}: {tensor.get('description', '')}" for tensor in tensors]
    return lines
