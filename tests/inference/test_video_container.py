"""Video files that were cut off are told from complete ones, whatever the container."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.inference.video_container import missing_bytes

CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".mkv": "MJPG", ".webm": "VP80"}


@pytest.mark.parametrize("suffix", CODECS)
def test_every_missing_byte_is_counted(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[suffix]), 10.0, (64, 48))
    for _ in range(5):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    content = path.read_bytes()
    assert missing_bytes(path) == 0
    path.write_bytes(content[:-20])
    assert missing_bytes(path) == 20
    path.write_bytes(content + bytes(30))  # a camera's padding
    assert missing_bytes(path) == 0


SIZES = {
    "box of 64 bits": ((1).to_bytes(4, "big") + b"mdat" + (5 << 32).to_bytes(8, "big"), (5 << 32) - 16),
    "box to the end of the file": (bytes(4) + b"mdat" + bytes(40), 0),
    "segment of unknown length": (b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + bytes(9), 0),
    "segment of 300 bytes": (b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x41\x2c" + bytes(100), 200),
    "recording that was not closed": (b"RIFF" + bytes(4) + b"AVI " + bytes(40), 0),
    "segment without a length": (b"\x18\x53\x80\x67", 0),
    "empty file": (b"", 0),
    "no video": (b"plain text, longer than a head", 0),
}


@pytest.mark.parametrize("case", SIZES)
def test_stated_sizes(case: str, tmp_path: Path) -> None:
    content, missing = SIZES[case]
    (tmp_path / "clip").write_bytes(content)
    assert missing_bytes(tmp_path / "clip") == missing


def test_an_endless_box_of_no_length_is_no_loop(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes((1).to_bytes(4, "big") + b"mdat" + bytes(8) + bytes(100))
    assert missing_bytes(tmp_path / "clip") == 0
