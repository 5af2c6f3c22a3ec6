"""Views of a project in Weights & Biases, built as objects of wandb-workspaces: a workspace and a report.

Building needs no server; `save` of the objects does.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill.errors import ConfigError
from distill.tracking.sync import require_key
from distill.training.loggers.metrics_csv import TERM_GRADIENT

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import Report
    from wandb_workspaces.workspaces import Workspace

_VALIDATION = ("val/nme", "val/fr8", "val/fr10", "val/auc8", "val/auc10")
# Metrics of evaluate jobs, as `record_evaluation` logs them.
_ACCURACY = ("nme_percent", "fr8_percent", "auc8_percent")
_DETECTORS = ("val/ap", "val/recall", "val/recall_24px")
# Tables that the jobs log, by the section that shows them.
_TABLES = {
    "Accuracy": ("accuracy", "ced", "landmarks", "groups"),
    "Parity": ("parity", "files", "operators"),
    "Latency": ("latency",),
}


def sections(values: Sequence[str]) -> dict[str, list[Any]]:
    """Return panels by the title of their section.

    Args:
        values: names of recorded values, as in `metrics.csv`; each term of the loss has its own panel.
    """
    import wandb_workspaces.reports.v2 as wr

    terms = [name for name in values if name.startswith("train/") and not name.startswith("train/grad_norm")]
    norms = [name for name in values if name.startswith(TERM_GRADIENT)] or ["train/grad_norm"]
    found: dict[str, list[Any]] = {
        "Validation": [wr.LinePlot(title=name, y=[name], log_y=name == "val/nme") for name in _VALIDATION],
        "Losses by term": [wr.LinePlot(title=name, y=[name], log_y=True) for name in terms],
        "Gradient norms": [wr.LinePlot(title="gradient norms", y=norms, log_y=True)],
        "Teacher, student, baseline": [
            wr.BarPlot(title="best validation NME", metrics=["best/val_nme"], groupby="JobType"),
            *(wr.BarPlot(title=name, metrics=[name]) for name in _ACCURACY),
        ],
        "Accuracy": [],
        "Parity": [wr.BarPlot(title="largest distance, px", metrics=["fp32_max_px", "fp16_max_px", "int8_max_px"])],
        "Latency": [wr.ScatterPlot(title="latency and accuracy", x="median_ms", y="nme_percent")],
    }
    for title, tables in _TABLES.items():
        found[title] += [wr.WeavePanelSummaryTable(table_name=name) for name in tables]
    if "val/ap" in values:
        found["Face detectors"] = [
            *(wr.LinePlot(title=name, y=[name]) for name in _DETECTORS),
            wr.BarPlot(title="best validation AP", metrics=["best/val_ap"]),
            wr.BarPlot(title="AP of evaluations", metrics=["ap"]),
            wr.WeavePanelSummaryTable(table_name="detection"),
        ]
    return found


def workspace(entity: str, project: str, values: Sequence[str]) -> "Workspace":
    """Return a workspace of a project: its sections, and runs ordered by their best validation NME."""
    import wandb_workspaces.workspaces as ws

    return ws.Workspace(
        entity=entity,
        project=project,
        name="distill",
        sections=[
            ws.Section(name=title, panels=panels, is_open=True) for title, panels in sections(values).items() if panels
        ],
        runset_settings=ws.RunsetSettings(order=[ws.Ordering(ws.Summary("best/val_nme"), ascending=True)]),
    )


def report(entity: str, project: str, title: str, values: Sequence[str]) -> "Report":
    """Return a report of a project: a heading and a grid of panels for each section."""
    import wandb_workspaces.reports.v2 as wr

    blocks: list[Any] = [wr.TableOfContents()]
    for heading, panels in sections(values).items():
        runs = wr.Runset(entity=entity, project=project, name="runs")
        blocks += [wr.H2(heading), wr.PanelGrid(runsets=[runs], panels=panels)] if panels else []
    return wr.Report(entity=entity, project=project, title=title, blocks=blocks)


def publish(entity: str | None, project: str, title: str, values: Sequence[str]) -> list[str]:
    """Save workspace and report on the server and return their addresses.

    Raises:
        ConfigError: wandb or wandb-workspaces is not installed, there is no key, or the server refuses.
    """
    require_key()
    try:
        import wandb
        import wandb_workspaces  # noqa: F401  fails where it is not installed
    except ModuleNotFoundError as error:
        raise ConfigError(f"--wandb: {error.name} is not installed: pip install 'distill-landmarks[track]'") from error
    try:
        owner = entity or str(wandb.Api().default_entity)
        saved = [workspace(owner, project, values).save(), report(owner, project, title, values).save()]
    except Exception as error:  # any error of the server or its client becomes one line
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ConfigError(f"--wandb: W&B did not take the views ({reason}); the page is written") from error
    return [str(view.url) for view in saved]
