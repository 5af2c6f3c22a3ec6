"""`distill data sources`: where public data sets are published, and whether a download is complete."""

from pathlib import Path

from distill.errors import ConfigError, suggest


def sources(name: str | None = None, root: Path | None = None) -> int:
    """List public data sets, their sources and terms; with a folder, verify a download.

    Args:
        name: one data set; without it, all of them in a table.
        root: folder it was unpacked to, to be verified; the exit status is 1 when something is missing.
    """
    from rich.console import Console

    from distill.data.dataset_catalog import describe, load_catalog, overview, verify

    console, known = Console(), load_catalog()
    if name is None:
        if root is not None:
            raise ConfigError(f"which data set should lie in {root}? {suggest('', list(known))}")
        console.print(overview(known))
        return 0
    if name not in known:
        raise ConfigError(f"unknown data set '{name}': {suggest(name, list(known))}")
    console.print(describe(known[name]))
    if root is None:
        return 0
    findings = list(verify(known[name], root))
    for finding in findings:
        console.print(f"{finding.severity}: {finding.file}: {finding.what}; {finding.todo}", markup=False)
    console.print("complete" if not findings else f"{len(findings)} things differ from the published set")
    return 1 if any(finding.severity == "error" for finding in findings) else 0
