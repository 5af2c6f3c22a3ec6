"""Memory over a long list; `scripts/fuzz/submission_endurance.py` does the same with 1,000 photos."""

import sys
from pathlib import Path

import numpy as np
import pytest

from distill.errors import ConfigError, SubmissionError
from tests.support.endurance import endure, mixed_photos

# Keeps 2 MB for every photo, as a list of results that is never emptied would.
LEAK = """
import sys, time
from pathlib import Path
kept = []
for photo in Path(sys.argv[1]).read_text().split():
    kept.append(b"x" * 2_000_000)
    time.sleep(0.02)
    Path(sys.argv[2], Path(photo).stem + ".txt").touch()
"""


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads /proc")
def test_sixty_photos_do_not_grow(whole_package: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    photos = mixed_photos(tmp_path / "photos", 60)
    (tmp_path / "work").mkdir()
    usage = endure(whole_package, sys.executable, photos, tmp_path / "work", 200)
    assert usage.photos == 60
    # One photo of 1920 x 1440, kept from every eighth on, would be 40 MB.
    assert abs(usage.growth_mb) < 10, usage.tenths_mb
    assert usage.peak_mb >= np.max(usage.tenths_mb) > 30


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads /proc")
def test_a_leak_is_seen(tmp_path: Path) -> None:
    (tmp_path / "run_model.py").write_text(LEAK)
    photos = [tmp_path / f"{index}.png" for index in range(30)]
    (tmp_path / "work").mkdir()
    usage = endure(tmp_path, sys.executable, photos, tmp_path / "work", 60)
    assert 30 < usage.growth_mb < 70


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('it broke')", "status 1, 0 of 10 results: it broke"),
        ("import time; time.sleep(9)", "2 s"),
    ],
)
def test_a_call_that_fails(tmp_path: Path, code: str, message: str) -> None:
    (tmp_path / "run_model.py").write_text(code)
    (tmp_path / "work").mkdir()
    with pytest.raises(SubmissionError, match=message):
        endure(tmp_path, sys.executable, [tmp_path / f"{index}.png" for index in range(10)], tmp_path / "work", 2)
    with pytest.raises(ConfigError, match="9 photos"):
        endure(tmp_path, sys.executable, [tmp_path] * 9, tmp_path / "work", 2)
