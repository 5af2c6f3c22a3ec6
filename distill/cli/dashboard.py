"""`distill dashboard [RUNS_DIR]`: one interactive HTML page over many runs."""

from pathlib import Path

from distill.cli.console import counted, shown_size
from distill.options.parser import options_of, parse

_DESCRIPTION = "Show all runs below a folder on one HTML page: curves, accuracy, parity, latency, lineage."


def dashboard(
    runs: Path = Path("runs"),
    out: Path = Path("dashboard.html"),
    title: str = "distill: dashboard",
    wandb: bool = False,
    entity: str | None = None,
    project: str = "distill",
) -> int:
    """Write a dashboard.

    Args:
        runs: folder of all runs.
        out: the page.
        title: its title.
        wandb: also save a workspace and a report with the same views in W&B; needs a key.
        entity: W&B user or team of them.
        project: W&B project of them.
    """
    from distill.files import require_writable, write_text
    from distill.report.dashboard.collect import collect
    from distill.report.dashboard.data import training_series
    from distill.report.dashboard.page import build
    from distill.report.dashboard.workspace import publish

    require_writable(out)
    entries, problems = collect(runs)
    write_text(out, build(entries, title, problems).html())
    print(f"{out}  {counted(len(entries), 'run')}, {shown_size(out.stat().st_size)}")
    if wandb:
        print("\n".join(publish(entity, project, title, list(training_series(entries)))))
    return 0


def run(argv: list[str]) -> int:
    return dashboard(**parse(options_of("dashboard", _DESCRIPTION, dashboard, "runs"), argv, "runs"))
