from pathlib import Path

import pytest

from distill.bench.device.binary import require_abi, require_binary
from distill.errors import ConfigError


def elf(path: Path, machine: int) -> Path:
    path.write_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\0" + machine.to_bytes(2, "little"))
    return path


def test_no_binary_a_missing_one_and_an_app_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--target needs --benchmark_model FILE"):
        require_binary(None)
    with pytest.raises(ConfigError, match="no such file"):
        require_binary(tmp_path / "none")
    app = tmp_path / "benchmark.apk"
    app.write_bytes(b"PK\3\4")
    with pytest.raises(ConfigError, match="an Android app; take the native binary"):
        require_binary(app)


@pytest.mark.parametrize(
    ("machine", "abis"),
    [(183, ("arm64-v8a", "armeabi-v7a")), (40, ("arm64-v8a", "armeabi-v7a")), (62, ("x86_64",)), (183, ("aarch64",))],
)
def test_a_program_for_the_device_passes(machine: int, abis: tuple[str, ...], tmp_path: Path) -> None:
    path = elf(tmp_path / "program", machine)
    assert require_binary(path) == path
    require_abi(path, "adb:X", abis)


def test_a_program_for_another_processor_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is for x86_64, adb:X is arm64-v8a, armeabi-v7a; take that build"):
        require_abi(elf(tmp_path / "program", 62), "adb:X", ("arm64-v8a", "armeabi-v7a"))
