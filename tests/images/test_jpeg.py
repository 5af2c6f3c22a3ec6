"""Damaged JPEGs are refused, whatever markers they end with; whole ones with harmless additions are read."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from distill.errors import ImageError
from distill.images import decode_image
from distill.images.jpeg import DamagedJpegError, decode_jpeg

_END = b"\xff\xd9"


def _textured(mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(0).normal(128, 40, (256, 320, 3)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(noise).convert(mode)


def _jpeg(mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    _textured(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def _damage(data: bytes, kind: str) -> bytes:
    half = len(data) // 2
    return {
        "cut": data[:half],
        "cut and closed": data[:half] + _END,
        "second half zero": data[:half] + bytes(len(data) - half - 2) + _END,
        "hole": data[:half] + bytes(4096) + data[half + 4096 :],
        "nearly whole": data[:-200] + _END,
    }[kind]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 2}], ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("kind", ["cut", "cut and closed", "second half zero", "hole", "nearly whole"])
def test_damage_is_noticed(kind: str, mode: str, options: dict[str, object]) -> None:
    # libjpeg fills what is missing with grey and returns an image of the full size.
    data = _jpeg(mode, quality=90, **options)
    assert decode_image(data, "a").shape == (256, 320, 3)
    with pytest.raises(ImageError, match=r"a: (damaged|broken) image .*; copy or download it again"):
        decode_image(_damage(data, kind), "a")


def test_a_progressive_file_without_its_last_scans_is_refused() -> None:
    data = _jpeg(progressive=True)
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    assert len(scans) > 3
    with pytest.raises(DamagedJpegError, match="first scans"):
        decode_jpeg(data[: scans[1]] + _END)


@pytest.mark.parametrize("filling", [b"\0" * 600, b"\xff" * 40, b"abc"], ids=len)
def test_filling_bytes_before_the_end_marker_are_harmless(filling: bytes) -> None:
    # Webcams and phones write such files; every pixel is there.
    data = _jpeg()
    assert (decode_image(data[:-2] + filling + _END, "a") == decode_image(data, "a")).all()


def _flat() -> NDArray[np.uint8]:
    return np.full((64, 64, 3), 255, np.uint8)


def test_a_flat_image_with_optimised_tables_is_whole() -> None:
    # Its compressed data are a long run of zero bits, as those of a file that was never written are.
    stream = io.BytesIO()
    Image.fromarray(np.repeat(np.repeat(_flat(), 8, 0), 8, 1)).save(stream, "JPEG", optimize=True)
    assert decode_image(stream.getvalue(), "a").shape == (512, 512, 3)


def test_a_report_of_damage_is_not_printed_and_error_output_works_on(capfd: pytest.CaptureFixture[str]) -> None:
    data = _jpeg()
    with pytest.raises(DamagedJpegError):
        decode_jpeg(_damage(data, "cut and closed"))
    os.write(2, b"from elsewhere\n")
    assert capfd.readouterr().err == "from elsewhere\n"


def test_decoding_leaves_no_file_descriptor_open() -> None:
    data = _jpeg()
    decode_jpeg(data)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        decode_jpeg(data)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
