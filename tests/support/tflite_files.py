"""TFLite files of one node, made without any converter."""

from pathlib import Path

import pytest

from distill.bench.machine import convolution
from distill.errors import ConfigError


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 3x3 convolution of 8 channels on 16x16: 8 * 8 * 9 * 256 MACs."""
    path = tmp_path_factory.mktemp("small") / "small.tflite"
    path.write_bytes(convolution(16, 8, 3))
    return path


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 3x3 convolution of 64 channels on 32x32, about 250 times the work of `small`."""
    path = tmp_path_factory.mktemp("large") / "large.tflite"
    path.write_bytes(convolution(32, 64, 3))
    return path


@pytest.fixture(scope="session")
def facemesh() -> Path:
    from distill.bench.peers import peer_path

    try:
        return peer_path("facemesh")
    except ConfigError as error:
        pytest.skip(str(error))
