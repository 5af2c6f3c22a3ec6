"""`distill report RUN...`: one self-contained HTML page of evaluations, training, exports and latencies."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from distill.cli.console import shown_size
from distill.data.config import FacesConfig
from distill.options.parser import options_of, parse

if TYPE_CHECKING:
    from distill.report.sources import Source

_DESCRIPTION = "Compare runs on one HTML page: errors, robustness, jitter, training, parity. Nothing is downloaded."


def report(
    runs: list[Path],
    out: Path = Path("report.html"),
    title: str = "distill: report",
    pictures: int = 0,
    data: FacesConfig | None = None,
    wandb: Literal["disabled", "offline", "online"] = "disabled",
    project: str = "distill",
) -> int:
    """Write a report.

    Args:
        runs: folders under runs/, or JSON files of `distill evaluate`, `export` or `bench`.
        out: the page.
        title: its title.
        pictures: show this many of the first run's worst and best faces; only where the licence of the data allows.
        data: the faces that were evaluated, for pictures.
        wandb: send the same panels to Weights & Biases; offline writes beside the page.
        project: W&B project.
    """
    from rich.console import Console

    from distill.files import require_writable
    from distill.report.runs import build
    from distill.report.sources import read_sources
    from distill.report.wandb import log_report

    require_writable(out)
    sources = read_sources(runs)
    page = build(sources, title, _pictures(sources[0], pictures, data) if pictures else None)
    page.write(out)
    if wandb != "disabled":
        log_report(page, out.parent, wandb, project)
    Console().print(f"{out}  {shown_size(out.stat().st_size)}")
    return 0


def _pictures(source: "Source", count: int, data: FacesConfig | None) -> dict[str, bytes]:
    from distill.data.readers import parse_subsets, read_faces
    from distill.errors import ConfigError
    from distill.report.gallery import extremes, gallery

    if data is None or not source.evaluations:
        raise ConfigError(
            "--pictures needs the faces: give --data.format, --data.root and --data.subset, and an evaluation"
        )
    evaluation = source.evaluations[0]
    data = data.test_faces()
    records = read_faces(data.format, data.root, parse_subsets(data.subset), evaluation.protocol.scheme)
    worst, best = extremes(evaluation, count)
    return {
        f"The worst faces of {source.name}: prediction blue, annotation orange": gallery(evaluation, records, worst),
        f"The best faces of {source.name}": gallery(evaluation, records, best),
    }


def run(argv: list[str]) -> int:
    return report(**parse(options_of("report", _DESCRIPTION, report, "runs..."), argv, "runs..."))
