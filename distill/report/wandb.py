"""The panels of a report in Weights & Biases, as one run of their own."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from distill.errors import ConfigError
from distill.report.page import Cell, Fixed, Interval, Report, Verdict
from distill.tracking.tables import Table, table_of
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

    folder = folder.absolute()  # the working directory of W&B's helper process may be another
    run = wandb.init(
        project=project, name=report.title, job_type="report", dir=folder, mode=mode, settings=private_settings()
    )
    for caption, png in report.figures.items():
        run.log({caption: wandb.Image(Image.open(io.BytesIO(png)))})
    for index, (headers, rows) in enumerate(report.tables, 1):
        table = numeric(headers, rows)
        data = [list(row) for row in table.rows]
        run.log({f"table {index}: {headers[0]}": wandb.Table(columns=list(table.columns), data=data)})
    run.finish()
    drop_logs(folder)


def numeric(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    """Return a table of the page with numbers in place of text; an interval becomes columns for its ends."""
    return table_of(_plain(dict(zip(headers, row, strict=True))) for row in rows)


def _plain(row: Mapping[str, Cell]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Interval):
            if value.mean is not None:
                found[name] = value.mean
            found |= {f"{name}, low": value.low, f"{name}, high": value.high}
        elif isinstance(value, Verdict):
            found[name] = value.good
        else:
            found[name] = float(value) if isinstance(value, Fixed) else value
    return found
