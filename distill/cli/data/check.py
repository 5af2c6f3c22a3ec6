"""`distill data check`: find errors in a data set."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from distill.data.config import SHARDS, FacesConfig
from distill.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress


def check(
    data: FacesConfig = FacesConfig(),  # noqa: B008  frozen
    scheme: str | None = None,
    test: str | None = None,
    smallest: float = 32,
    manifest: Path | None = None,
    sheets: Path | None = None,
    json: Path | None = None,
    show: int = 3,
    workers: int | None = None,
) -> int:
    """Find errors in a data set; the exit status is 1 when there is one.

    Args:
        data: the faces; a folder before the options is `--data.root`.
        scheme: landmark scheme of the points, where the files do not name it.
        test: subsets tested on, joined by `+`; without it, those with `test` or `val` in their names.
        smallest: faces of fewer pixels are reported.
        manifest: list of SHA-256 sums of all files; verified if it exists, else written. That of a prepared store is
            verified without this option.
        sheets: folder for contact sheets with numbered points.
        json: write every finding here.
        show: findings of each check on the screen.
        workers: processes; one for each core unless given.
    """
    from rich.console import Console
    from rich.progress import Progress

    from distill.data.check import CheckOptions, check_data
    from distill.data.check.drawing import SHEETS, write_sheets
    from distill.data.check.shards import check_shards
    from distill.data.check.tables import tables
    from distill.data.readers import parse_subsets
    from distill.files import require_writable, write_json
    from distill.system.processes import cores

    if data.format == SHARDS:
        _require_none(subset=data.subset, scheme=scheme, manifest=manifest, sheets=sheets)
    unwritten = manifest if manifest is not None and not manifest.is_file() else None
    require_writable(json, unwritten, *([] if sheets is None else [sheets / name for name in SHEETS]))
    processes = cores() if workers is None else workers
    options = CheckOptions(smallest=smallest, test=parse_subsets(test), hashes=manifest, workers=processes)
    console = Console()
    errors = Console(stderr=True)
    with Progress(console=errors, disable=not errors.is_terminal) as progress:  # where there is no bar, no blank line
        if data.format == SHARDS:
            report = check_shards(data.root, options, _bars(progress))
        else:
            report, records = check_data(
                data.format, data.root, parse_subsets(data.subset), scheme, options, _bars(progress)
            )
    for table in tables(report, show):
        console.print(table)
    if sheets is not None:
        for path in write_sheets(sheets, records, report.findings):
            console.print(path)
    if json is not None:
        write_json(json, {"format": data.format, "subset": data.subset, **report.to_json()})
    return 1 if report.failed else 0


def _require_none(**options: object) -> None:
    """Refuse options that shards do not have."""
    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"--{name} has no effect on --data.format shards: leave it out")


def _bars(progress: "Progress") -> Callable[[str, int], Callable[[], None]]:
    def start(name: str, total: int) -> Callable[[], None]:
        task = progress.add_task(name, total=total or None)
        return lambda: progress.advance(task)

    return start
