"""The panels of a report in Weights & Biases, as one run of their own."""

import io
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from distill.errors import ConfigError, first_line
from distill.report.page import Cell, Fixed, Interval, Report, Verdict
from distill.tracking.tables import Table, table_of
from distill.tracking.wandb_job import FINISH_S
from distill.tracking.wandb_server import why_offline
from distill.tracking.wandb_service import open_run
from distill.tracking.wandb_settings import drop_logs, private_settings


def log_report(report: Report, folder: Path, mode: Literal["offline", "online"], project: str) -> None:
    """Log the figures and tables of a page; offline, or where no server answers, the run lies in `folder/wandb`.

    Raises:
        ConfigError: wandb is not installed, or fails.
    """
    try:
        import wandb  # noqa: F401  fails where it is not installed
    except ImportError as error:
        raise ConfigError("--wandb: Weights & Biases is not installed; run `pip install wandb`") from error
    run_id = uuid.uuid4().hex[:12]
    reason = why_offline(project, report.title, run_id) if mode == "online" else None
    try:
        _send(report, folder, "offline" if reason else mode, project, run_id)
    except Exception as error:  # whatever wandb raises: the page is written
        raise ConfigError(f"--wandb {mode}: W&B failed ({first_line(error)})") from error
    finally:
        drop_logs(folder)
    if reason is not None:
        print(f"W&B cannot record online ({reason}): recorded offline; later: wandb login, then distill sync {folder}")


def _send(report: Report, folder: Path, mode: str, project: str, run_id: str) -> None:
    import wandb
    from PIL import Image

    run = open_run(
        folder, project=project, name=report.title, id=run_id, job_type="report", mode=mode,
        settings=private_settings(FINISH_S),
    )  # fmt: skip
    for caption, png in report.figures.items():
        run.log({caption: wandb.Image(Image.open(io.BytesIO(png)))})
    for index, (headers, rows) in enumerate(report.tables, 1):
        table = numeric(headers, rows)
        data = [list(row) for row in table.rows]
        run.log({f"table {index}: {headers[0]}": wandb.Table(columns=list(table.columns), data=data)})
    run.finish()


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
