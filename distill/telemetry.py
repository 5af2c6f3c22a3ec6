"""Switch off the telemetry of libraries: environment variables, set before any of them is imported.

`distill` imports this module first. Child processes inherit the variables; those that start with an environment of
their own take `SWITCHES` over.
"""

import os

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime sends usage, a device id and paths; its Python switch does not stop it
    "NO_ALBUMENTATIONS_UPDATE": "1",  # albumentations requests its newest version from PyPI when it is imported
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub
    "WANDB_ERROR_REPORTING": "false",  # wandb sends its own crashes to Sentry
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "YOLO_OFFLINE": "true",  # ultralytics
    "DO_NOT_TRACK": "1",  # convention of several tools
}


def switch_off() -> None:
    """Set the variables; a value that the user gave stays."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)


switch_off()
