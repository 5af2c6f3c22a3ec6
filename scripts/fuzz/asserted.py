"""Run the tests that stand for a check of the reliability list and record them: `python -m scripts.fuzz.asserted`.

Checks with thousands of cases have commands of their own; the others are tests of the suite, run here once more at a
clean commit. What a test measures it hands over as `record_property`. Writes results/checks/asserted.json and exits
with 1 when a test fails or all of a check are skipped.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from distill.provenance import write_result

OUT = "results/checks/asserted.json"
ROOT = Path(__file__).resolve().parents[2]
# Check -> tests.
TESTS: dict[str, tuple[str, ...]] = {
    "workers": ("tests/data/test_dataset.py::test_workers_batches_and_order_do_not_matter",),
    "geometry": (
        "tests/data/test_augment.py::test_blobs_stay_on_their_points_in_500_draws",
        "tests/data/test_augment.py::test_no_pixel_transform_moves_a_blob",
        "tests/data/test_augment.py::test_flipping_twice_is_identity",
        "tests/test_geometry.py::test_inverse_returns_to_the_photo",
    ),
    "heatmaps": ("tests/models/test_heatmaps.py::test_decoding_undoes_encoding",),
    "star": ("tests/losses/test_star.py",),
    "metrics": ("tests/metrics/test_functional.py", "tests/metrics/test_landmarks.py"),
    "parity gates": ("tests/export/verify/test_parity.py", "tests/export/test_pipeline.py"),
    "configurations": ("tests/test_docs.py::test_every_config_is_accepted_by_its_command",),
    "submission": ("tests/submission/test_build.py", "tests/submission/test_dry_run.py"),
    "latency": ("tests/bench/test_latency.py",),
    "documentation": ("tests/test_docs.py", "tests/scripts/test_documents.py", "tests/docs"),
}


class Record:
    """A pytest plugin that counts outcomes and keeps the largest value of each property by file or test.

    Attributes:
        outcomes: of every test, by its id.
        values: properties of tests, by its id.
    """

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.values: dict[str, dict[str, float]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a phase of a test; a failure in any phase counts."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid] = report.outcome
            self.values[report.nodeid] = {name: float(str(value)) for name, value in report.user_properties}

    def found(self, prefixes: tuple[str, ...]) -> dict[str, Any]:
        """Return outcomes and largest values of the tests whose ids start with one of the prefixes."""
        own = [name for name in self.outcomes if name.startswith(prefixes)]
        values: dict[str, float] = {}
        for name in own:
            for key, value in self.values[name].items():
                values[key] = max(value, values.get(key, value))
        return {
            "tests": list(prefixes),
            "outcomes": dict(Counter(self.outcomes[name] for name in own)),
            "worst": values,
        }


def main() -> int:
    """Run all tests in one process."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(OUT))
    options = parser.parse_args()
    record = Record()
    tests = dict.fromkeys(test for tests in TESTS.values() for test in tests)
    pytest.main(["-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *(str(ROOT / test) for test in tests)], [record])
    found = {name: record.found(tests) for name, tests in TESTS.items()}
    failed = [name for name, part in found.items() if "failed" in part["outcomes"] or "passed" not in part["outcomes"]]
    write_result(options.out, {"failed": failed, "checks": found})
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
