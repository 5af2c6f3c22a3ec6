"""Delegates of TensorFlow Lite, and the options of `benchmark_model` that switch them on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from distill.errors import ConfigError, suggest

# Options by name. `cpu` are the built-in kernels; the default of `benchmark_model` is XNNPACK where it fits.
_FLAGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cpu": ("--use_xnnpack=false",),
        "xnnpack": ("--use_xnnpack=true",),
        "gpu": ("--use_gpu=true",),
        "nnapi": ("--use_nnapi=true",),
        "hexagon": ("--use_hexagon=true",),
    }
)
# Those that take a name after a colon, and the option it becomes.
_NAMED = {"nnapi": ("--use_nnapi=true", "--nnapi_accelerator_name="), "external": ("--external_delegate_path=",)}
# What is run without --delegates.
DEFAULTS = {"adb": ("xnnpack", "gpu", "nnapi"), "ssh": ("xnnpack",), "host": ("xnnpack",)}


@dataclass(frozen=True)
class DelegateOption:
    """A requested delegate, and its option of `benchmark_model`.

    Attributes:
        threaded: whether the number of threads changes its time.
    """

    name: str
    flags: tuple[str, ...]

    @property
    def threaded(self) -> bool:
        return self.name in ("cpu", "xnnpack")


def parse_delegates(names: Sequence[str]) -> tuple[DelegateOption, ...]:
    """Read `cpu`, `xnnpack`, `gpu`, `nnapi`, `nnapi:ACCELERATOR`, `hexagon` or `external:LIBRARY`, each once.

    Raises:
        ConfigError: none, or another name.
    """
    if not names:
        raise ConfigError(f"no delegate given: {', '.join(_FLAGS)}, nnapi:ACCELERATOR or external:LIBRARY")
    return tuple(_parse(name) for name in dict.fromkeys(names))


def _parse(name: str) -> DelegateOption:
    kind, colon, argument = name.partition(":")
    if colon and argument and kind in _NAMED:
        *flags, last = _NAMED[kind]
        return DelegateOption(name, (*flags, last + argument))
    if colon or kind not in _FLAGS:
        raise ConfigError(
            f"unknown delegate '{name}': {suggest(kind, [*_FLAGS, 'nnapi:ACCELERATOR', 'external:LIBRARY'])}"
        )
    return DelegateOption(name, _FLAGS[kind])
