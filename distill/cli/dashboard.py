"""`distill dashboard [RUNS_DIR]`: one interactive HTML page over many runs."""

from pathlib import Path

from distill.cli.options import options_of, parse

_DESCRIPTION = "Show all runs below a folder on one HTML page: curves, accuracy, parity, latency, lineage."


def dashboard(
    runs: Path = Path("runs"),
    out: Path = Path("dashboard.html"),
    title: str = "distill: dashboard",
) -> int:
    """Write a dashboard.

    Args:
        runs: folder of all runs.
        out: the page.
        title: its title.
    """
    from distill.files import require_writable, write_text
    from distill.report.dashboard.collect import collect
    from distill.report.dashboard.page import build

    require_writable(out)
    entries, problems = collect(runs)
    write_text(out, build(entries, title, problems).html())
    print(f"{out}  {len(entries)} runs, {out.stat().st_size / 1e6:.1f} MB")
    return 0


def run(argv: list[str]) -> int:
    return dashboard(**parse(options_of("dashboard", _DESCRIPTION, dashboard, "runs"), argv, "runs"))
