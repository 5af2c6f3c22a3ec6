"""Standard streams that are closed, full or of another encoding: one line and a status, never a traceback."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FULL = Path("/dev/full")
COMMAND = [sys.executable, "-m", "distill"]
full = pytest.mark.skipif(not FULL.exists(), reason="a device of Linux")
UNWRITTEN = r"error: standard output( or a file)?: cannot be written \(No space left on device\)\n"


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **changes}


def closed(*numbers: int) -> Callable[[], None]:
    return lambda: [os.close(number) for number in numbers] and None


@full
@pytest.mark.parametrize("words", [["--version"], ["check", "--help"]])
def test_a_full_output_is_one_line(words: list[str]) -> None:
    with FULL.open("w") as output:
        done = subprocess.run([*COMMAND, *words], stdout=output, stderr=subprocess.PIPE, text=True, env=environment())
    assert done.returncode == 2
    assert re.fullmatch(UNWRITTEN, done.stderr)


def test_a_reader_that_has_ended_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "--help"], stdout=writer, stderr=subprocess.PIPE, text=True, env=environment())
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(("numbers", "words", "status"), [((0, 1), ["models"], 0), ((0, 1, 2), ["nonsense"], 2)])
def test_closed_streams(numbers: tuple[int, ...], words: list[str], status: int) -> None:
    done = subprocess.run([*COMMAND, *words], stderr=subprocess.PIPE, preexec_fn=closed(*numbers), env=environment())
    assert (done.returncode, done.stderr) == (status, b"")


@full
def test_errors_that_cannot_be_printed_keep_their_status() -> None:
    with FULL.open("w") as errors:
        assert subprocess.run([*COMMAND, "nonsense"], stderr=errors, env=environment()).returncode == 2


def test_a_file_does_not_get_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """What a library prints would go into it."""
    code = (
        "import os, sys; from distill.system.streams import prepare_streams; prepare_streams(); "
        "file = open('weights', 'w'); os.write(1, b'printed'); sys.exit(file.fileno())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, preexec_fn=closed(0, 1), env=environment(), check=False
    )
    assert done.returncode > 2
    assert (tmp_path / "weights").read_bytes() == b""


def test_characters_that_the_terminal_lacks_are_escaped() -> None:
    code = (
        "from distill.system.streams import prepare_streams; prepare_streams(); "
        "print('NME \u2013', b'x\\xff.jpg'.decode('utf-8', 'surrogateescape'))"
    )
    for encoding, shown in (("ascii", b"NME \\u2013 x\\udcff.jpg\n"), ("utf-8", b"NME \xe2\x80\x93 x\\udcff.jpg\n")):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, env=environment(PYTHONIOENCODING=encoding)
        )
        assert (done.stdout, done.stderr) == (shown, b"")
