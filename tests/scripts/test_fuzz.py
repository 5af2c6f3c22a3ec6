"""The checks of kills and of secrets notice what they look for."""

import json
import zipfile
from pathlib import Path

import pytest

from scripts.fuzz import asserted, reliability_table, zoo_networks
from scripts.fuzz.kills import Tally, readable
from scripts.fuzz.outside_world import SECRETS, hits

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = {"train/loss@1": "0x1.0p+0", "train/loss@2": "0x1.8p+0", "last weights": "aa", "last file": "bb"}


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        ({"train/loss@2": "0x1.9p+0"}, "numbers_different"),
        ({"train/loss@3": "0x1.8p+0"}, "numbers_different"),
        ({"last weights": "ab"}, "weights_different"),
        ({"last file": "bc"}, "files"),
    ],
)
def test_a_difference_fails(
    change: dict[str, str], attribute: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    same, other = Tally(), Tally()
    same.compare(EXPECTED, EXPECTED, "run")
    assert not same.failed
    assert (same.numbers, same.files_equal) == (2, 1)
    other.compare(EXPECTED, {**EXPECTED, **change}, "run")
    assert other.failed
    assert getattr(other, attribute) == 1


def test_a_leftover_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "run").mkdir(parents=True)
    (tmp_path / "runs" / "run" / ".last.tmp-abcdefgh.ckpt").touch()
    tally = Tally()
    tally.compare(EXPECTED, EXPECTED, "run")
    assert tally.failed


def test_half_a_checkpoint_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"PK half")
    assert not readable(tmp_path / "last.ckpt")


def test_secrets_are_found_in_files_and_in_zip_files(tmp_path: Path) -> None:
    secret = SECRETS["HF_TOKEN"]
    (tmp_path / "log.txt").write_text(f"token={secret}")
    (tmp_path / "fine.txt").write_text("token")
    with zipfile.ZipFile(tmp_path / "package.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", 100 * secret)
    count, found = hits(tmp_path)
    assert count == 3
    assert sorted(found) == ["log.txt", "package.zip"]


def test_the_table_has_all_twenty_checks_and_none_failed() -> None:
    """A check that fails is recorded, and the table alone would not stop anybody."""
    assert len(reliability_table.rows()) == 20
    assert json.loads((ROOT / asserted.OUT).read_text())["failed"] == []
    networks = json.loads((ROOT / zoo_networks.OUT).read_text())["networks"]
    assert all(network["max_px"].keys() == set(zoo_networks.MODES) for network in networks.values())
