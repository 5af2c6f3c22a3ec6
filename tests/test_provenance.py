"""Provenance of results: complete, checked, without paths of a machine."""

import json
import platform
import re
import subprocess
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from distill.provenance import Provenance, command_line, commit, data_hashes, processor, provenance, write_result

HASH = "ab" * 32


def test_paths_outside_the_project_are_not_stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys, "argv", ["scripts/x.py", str(tmp_path / "300W"), "../data/WFLW", "--faces", "4"])
    assert command_line() == "python scripts/x.py 300W WFLW --faces 4"


def test_a_module_is_named_as_it_was_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Spec:
        name = "scripts.studies.zoo"

    monkeypatch.setattr(sys.modules["__main__"], "__spec__", Spec, raising=False)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "scripts/studies/zoo.py"), str(tmp_path / "data")])
    assert command_line() == "python -m scripts.studies.zoo data"


def test_a_result_is_written_with_its_provenance(tmp_path: Path) -> None:
    write_result(tmp_path / "r.json", {"value": 1}, HASH)
    stored = json.loads((tmp_path / "r.json").read_text())
    assert stored["value"] == 1
    entry = Provenance.from_dict(stored["provenance"])
    assert entry.commit == commit().removesuffix("-dirty")
    assert entry.data_hash == HASH
    assert date.fromisoformat(str(entry.date)) >= date(2025, 1, 1)


def test_the_data_hash_is_that_of_the_only_data_set() -> None:
    single = {"gt": {"protocol": {"data_hash": HASH}}, "rows": [{"data_hash": HASH}]}
    assert list(data_hashes(single)) == [HASH, HASH]
    assert provenance(single).data_hash == HASH
    several = provenance({**single, "other": {"data_hash": "cd" * 32}})
    assert several.data_hash is None
    assert "several data sets" in str(several.note)
    assert "no annotated data set" in str(provenance({"ms": 1}).note)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"machine": None}, "machine is null without a note"),
        ({"commit": "abc1234"}, "neither 40 hexadecimal digits"),
        ({"data_hash": "ab"}, "not a SHA-256"),
        ({"clean": "yes"}, "not true, false or null"),
        ({"date": "yesterday"}, "yesterday"),
        ({"who": "me"}, "fields"),
    ],
)
def test_incomplete_provenance_is_refused(change: dict[str, Any], message: str) -> None:
    whole = asdict(provenance({}, HASH))
    Provenance.from_dict(whole)
    with pytest.raises(ValueError, match=message):
        Provenance.from_dict(whole | change)


def test_a_result_that_is_written_again_leaves_the_commit_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.provenance.__file__", str(tmp_path / "code.py"))
    assert commit() == "unknown"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    (tmp_path / "code.py").write_text("x = 1")
    result = tmp_path / "result.json"
    write_result(result, {"value": 1}, HASH)
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    write_result(result, {"value": 2}, HASH)
    assert json.loads(result.read_text())["provenance"]["clean"] is True
    assert commit().endswith("-dirty")
    (tmp_path / "code.py").write_text("x = 2")
    write_result(result, {"value": 3}, HASH)
    assert json.loads(result.read_text())["provenance"]["clean"] is False


def test_the_commit_is_whole_or_unknown() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", commit())


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu sse2 avx avx2 fma", " with avx2"), ("avx avx2 avx512f avx512_vnni", " with avx512_vnni"), ("fpu", "")],
)
def test_the_processor_is_named_with_its_widest_instructions(tmp_path: Path, flags: str, expected: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    assert processor(tmp_path / "cpuinfo") == platform.machine() + expected
    assert processor(tmp_path / "missing") == platform.machine()
