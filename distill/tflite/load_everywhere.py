"""Load and run a TFLite file in every runtime that is present."""

from pathlib import Path

from distill.tflite.runtimes import RuntimeServer, list_runtimes


def load_everywhere(path: str | Path, release: str, timeout_s: float = 60) -> dict[str, str]:
    """Load any TFLite file and run it once on generated inputs, in every runtime present that is at least `release`.

    Returns:
        for each runtime `runs`, or the kind of failure and the reason; a bad file never raises.

    Raises:
        ConfigError: not a release.
    """
    outcomes = {}
    for runtime in list_runtimes():
        if runtime.covers(release):
            with RuntimeServer(runtime, timeout_s) as server:
                failure = server.load(path)
            outcomes[str(runtime)] = f"{failure.kind}: {failure.text}" if failure else "runs"
    return outcomes
