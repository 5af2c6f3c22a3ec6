from types import ModuleType
from typing import Any

from distill.bench.run import bench as bench
from distill.evaluate.evaluate import evaluate as evaluate
from distill.export.check import check as check
from distill.export.export import export as export
from distill.inference.landmarker import Landmarker as Landmarker
from distill.inference.load import open_backend as load_model
from distill.models.zoo import create_model as create_model
from distill.models.zoo import list_models as list_models
from distill.training.train import train as train

__version__: str

class CallablePackage(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any: ...

__all__ = [
    "Landmarker",
    "bench",
    "check",
    "create_model",
    "evaluate",
    "export",
    "list_models",
    "load_model",
    "train",
]
