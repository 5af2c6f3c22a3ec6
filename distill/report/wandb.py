"""The panels of a report in Weights & Biases, as one run of their own."""

import io
from pathlib import Path
from typing import Literal

from distill.errors import ConfigError
from distill.report.page import Report
from distill.tracking.wandb_settings import drop_logs, private_settings


def log_report(report: Report, folder: Path, mode: Literal["offline", "online"], project: str) -> None:
    """Log the figures and tables of a page; offline, the run lies in `folder/wandb`.

    Raises:
        ConfigError: wandb is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise ConfigError("--wandb: Weights & Biases is not installed; run `pip install wandb`") from error
    from PIL import Image

    run = wandb.init(
        project=project, name=report.title, job_type="report", dir=folder, mode=mode, settings=private_settings()
    )
    for caption, png in report.figures.items():
        run.log({caption: wandb.Image(Image.open(io.BytesIO(png)))})
    for index, (headers, rows) in enumerate(report.tables, 1):
        table = wandb.Table(columns=list(headers), data=[["" if c is None else str(c) for c in row] for row in rows])
        run.log({f"table {index}: {headers[0]}": table})
    run.finish()
    drop_logs(folder)
