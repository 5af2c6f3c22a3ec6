"""A result names what made it and no place on somebody's disk."""

import json
import re
import sys
from pathlib import Path

import pytest

from distill.provenance import commit, made_by, write_result


def test_folders_of_the_machine_stay_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["scripts/x.py", str(tmp_path / "300W"), "../data/WFLW", "--faces", "4"])
    assert made_by()["command"] == "python scripts/x.py 300W WFLW --faces 4"
    write_result(tmp_path / "r.json", {"value": 1})
    raw = json.loads((tmp_path / "r.json").read_text())
    assert raw["value"] == 1
    assert raw["made_by"]["commit"] == commit()


def test_the_commit_is_whole_or_unknown() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", commit())
