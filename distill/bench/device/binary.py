"""The program that measures on a device: it must be made for the processor of the device."""

from pathlib import Path

from distill.errors import ConfigError

_ELF = b"\x7fELF"
_SCRIPT = b"#!"
# `e_machine` of an ELF header -> names of that processor in Android (ABI) and Linux (uname -m).
_MACHINES = {
    3: ("x86", "i386", "i486", "i586", "i686"),
    40: ("armeabi-v7a", "armeabi", "armv6l", "armv7l", "armv8l", "arm"),
    62: ("x86_64", "amd64"),
    183: ("arm64-v8a", "aarch64", "arm64"),
    243: ("riscv64",),
}
_HEADER = 20
_HOW = "see TensorFlow's page of the benchmark tool for builds"


def require_binary(path: Path | None) -> Path:
    """Return the program's path.

    Raises:
        ConfigError: none was given, it does not exist, or it is no program.
    """
    if path is None:
        raise ConfigError(f"--target needs --benchmark_model FILE, LiteRT's benchmark_model for the device; {_HOW}")
    if not path.is_file():
        raise ConfigError(f"--benchmark_model {path}: no such file; {_HOW}")
    head = _head(path)
    if not head.startswith((_ELF, _SCRIPT)):
        hint = ", an Android app; take the native binary" if head.startswith(b"PK") else ""
        raise ConfigError(f"--benchmark_model {path}: not a program for Linux or Android{hint}")
    return path


def require_abi(path: Path, device: str, abis: tuple[str, ...]) -> None:
    """Refuse a program for another processor; scripts are not compared.

    Args:
        path: the program.
        device: its name, for the message.
        abis: the names of processors whose programs it runs; nothing is compared without one.

    Raises:
        ConfigError: naming both processors.
    """
    head = _head(path)
    if not head.startswith(_ELF) or not abis:
        return
    little = head[5] != 2
    machine = int.from_bytes(head[18:20], "little" if little else "big")
    names = _MACHINES.get(machine, (f"machine {machine}",))
    if not set(names) & {abi.lower() for abi in abis}:
        raise ConfigError(f"--benchmark_model {path} is for {names[0]}, {device} is {', '.join(abis)}; take that build")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEADER)
    except OSError as error:
        raise ConfigError(f"--benchmark_model {path}: cannot be read ({error.strerror})") from error
