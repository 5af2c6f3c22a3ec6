"""Every file under results/ has the provenance schema and lies in one of three folders."""

import json
from pathlib import Path

import pytest

from distill.provenance import Provenance

RESULTS = Path(__file__).parents[1] / "results"
FILES = sorted(RESULTS.rglob("*"))
FORMER_KEYS = {"made_by", "command", "commit", "measured_at_commit"}


@pytest.mark.parametrize("path", [p for p in FILES if p.is_file()], ids=lambda p: p.relative_to(RESULTS).as_posix())
def test_provenance_is_complete(path: Path) -> None:
    result = json.loads(path.read_text())
    Provenance.from_dict(result["provenance"])
    assert next(iter(result)) == "provenance"
    assert not FORMER_KEYS & set(result)


def test_results_lie_in_three_folders() -> None:
    assert {p.name for p in RESULTS.iterdir()} == {"studies", "bench", "checks"}
    assert {p.suffix for p in FILES if p.is_file()} == {".json"}


def test_the_readme_states_the_measured_size_of_an_installation() -> None:
    result = json.loads((RESULTS / "checks" / "install_size.json").read_text())
    numpy_1, sizes = (
        [entry["mb"] for entry in result["environments"] if entry["numpy"].startswith("1.") == old]
        for old in (True, False)
    )
    assert max(sizes) <= result["limit_mb"]
    versions = [(entry["python"].rpartition(".")[0], entry["numpy"][:2]) for entry in result["environments"]]
    assert versions == [("3.11", "1."), ("3.11", "2."), ("3.12", "1."), ("3.12", "2."), ("3.13", "2.")]
    assert all(entry["drawn"] == 1 for entry in result["environments"])
    stated = (
        f"({min(sizes):.0f} to {max(sizes):.0f} MB, with numpy 1.26 {max(numpy_1):.0f}; "
        "`results/checks/install_size.json`)"
    )
    assert stated in (RESULTS.parent / "README.md").read_text()
