"""Knowledge distillation for facial landmarks on embedded devices.

The public API; nothing but the switch of telemetry is imported until a name is used:

    Landmarker     find faces and their landmarks in a photo
    load_model     open a model file of any format; the result is called on crops
    create_model   build a network of the zoo by name
    list_models    names of the zoo
    train          train a teacher, a student or a baseline
    evaluate       measure a model on annotated faces
    export         PyTorch -> ONNX -> TFLite, with parity checks
    check          check a TFLite file or an architecture against an old runtime
    bench          time models in one interleaved run
"""

from importlib import import_module
from types import ModuleType
from typing import Any

import distill.telemetry  # noqa: F401  before any library that reads its variables

__version__ = "0.2.0"

# By name, so that importing the package imports nothing else; types are in `__init__.pyi`.
_API = {
    "Landmarker": "inference.landmarker:Landmarker",
    "bench": "bench.run:bench",
    "check": "export.check:check",
    "create_model": "models.zoo:create_model",
    "evaluate": "evaluate.evaluate:evaluate",
    "export": "export.export:export",
    "list_models": "models.zoo:list_models",
    "load_model": "inference.load:open_backend",
    "train": "training.train:train",
}
# Functions whose subpackage has the same name: the subpackage itself is called.
_PACKAGES = ("bench", "evaluate", "export")

__all__ = [*_API, "__version__"]


class CallablePackage(ModuleType):
    """A subpackage that is also the function of its name: `distill.evaluate(...)`."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return _function(self.__name__.rpartition(".")[2])(*args, **options)


def _function(name: str) -> Any:
    module, _, attribute = _API[name].partition(":")
    try:
        return getattr(import_module(f"{__name__}.{module}"), attribute)
    except ModuleNotFoundError as error:
        # By name, as contest packages hold what the modules in them import.
        explain = import_module(f"{__name__}.system.missing_packages").missing_package
        if (message := explain(error, f"distill.{name}")) is None:
            raise
        raise import_module(f"{__name__}.errors").ConfigError(message) from error


def __getattr__(name: str) -> Any:
    if name not in _API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}") if name in _PACKAGES else _function(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})
