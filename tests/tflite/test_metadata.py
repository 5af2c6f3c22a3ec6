"""TFLite metadata: read back, by a standard reader too, and without effect on what a file computes."""

import io
import json
import zipfile

import pytest

from distill.tflite.metadata import NAME, ImageInput, Output, read_metadata, sentences, with_metadata
from distill.tflite.serialization import read_model
from tests.support.split_model import halves

IMAGE = ImageInput("image", "a face", 127.5, 127.5)
LABELS = {"landmarks.txt": "nose_0\nnose_1\n"}


def described(outputs: int = 1) -> bytes:
    entries = [Output("landmarks", "points", "landmarks.txt"), Output("confidence", "of each")][:outputs]
    about = {"name": "net", "description": "a network", "license": ""}
    return with_metadata(halves(), about, [IMAGE], entries, LABELS)


def test_what_is_written_is_read() -> None:
    found = read_metadata(read_model(described()).metadata)
    assert found is not None
    assert found["name"] == "net"
    assert "license" not in found
    (graph,) = found["subgraph_metadata"]
    (image,) = graph["input_tensor_metadata"]
    assert image["stats"] == {"max": (1.0,), "min": (-1.0,)}
    assert sentences(found) == [
        "name: net",
        "description: a network",
        "input image: a face",
        "output landmarks: points",
    ]


def test_labels_lie_in_an_archive_behind_the_file_and_equal_models_are_equal_files() -> None:
    with zipfile.ZipFile(io.BytesIO(described())) as archive:
        assert archive.read("landmarks.txt").decode() == LABELS["landmarks.txt"]
    assert described() == described()
    again = read_metadata(read_model(with_metadata(described(), {"name": "other"}, [], [], {})).metadata)
    assert again is not None
    assert again["name"] == "other"
    assert "description" not in again


def test_the_reader_of_mediapipe_takes_it() -> None:
    """Catches a field in the slot of another: our reader has the same description of the format as our writer."""
    displayer = pytest.importorskip("mediapipe.tasks.python.metadata.metadata").MetadataDisplayer
    shown = displayer.with_model_buffer(described(2))
    (graph,) = json.loads(shown.get_metadata_json())["subgraph_metadata"]
    (image,) = graph["input_tensor_metadata"]
    assert image["content"]["content_properties"] == {"color_space": "RGB"}
    assert image["process_units"][0]["options"] == {"mean": [127.5], "std": [127.5]}
    landmarks, confidence = graph["output_tensor_metadata"]
    assert landmarks["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS"
    assert confidence["name"] == "confidence"
    assert shown.get_associated_file_buffer("landmarks.txt").decode() == LABELS["landmarks.txt"]


def test_damaged_metadata_count_as_none() -> None:
    content = read_model(described()).metadata[NAME]
    assert read_metadata({}) is None
    assert read_metadata({NAME: b"no flatbuffer"}) is None
    for start in range(8, len(content), 5):
        broken = content[:start] + b"\xff\xff\xff\x7f" + content[start + 4 :]
        found = read_metadata({NAME: broken})
        assert found is None or isinstance(found, dict)
    assert read_metadata({NAME: content[:40]}) is None
