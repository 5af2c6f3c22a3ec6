"""Stand-ins of `adb` and `ssh` that run commands on this machine, and of `benchmark_model`, which replays its output.

The texts in `benchmark_model/` have the format of TensorFlow Lite's tool.
"""

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

RECORDED = Path(__file__).with_name("benchmark_model")

_PROPERTIES = """[ro.build.version.release]: [14]
[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a]
[ro.product.manufacturer]: [Google]
[ro.product.model]: [Pixel 8]
[ro.soc.model]: [Tensor G3]"""

# Paths of a phone become paths in a folder of the test; the rest is the real shell with the words it was given.
_SHELL = """
command=$(printf '%s' "$1" | sed -e "s#/data/local/tmp#{root}/tmp#g" -e "s#/sys/#{root}/sys/#g")
[ -e {root}/lost ] && {{ echo "error: device '{serial}' not found" >&2; exit 1; }}
PATH={root}/bin:$PATH; export PATH
sh -c "$command"
"""
_ADB = """#!/bin/sh
case "$1" in
devices) printf 'List of devices attached\\n'; cat {root}/devices; exit 0;;
esac
[ "$1 $2" = "-s {serial}" ] || {{ echo "adb: no device $2" >&2; exit 1; }}
shift 2
case "$1" in
push) exec cp "$2" "$(printf '%s' "$3" | sed "s#/data/local/tmp#{root}/tmp#")";;
shell) shift; {shell};;
esac
"""
_SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
[ "$2" = board ] || {{ echo "ssh: Could not resolve hostname $2: Name or service not known" >&2; exit 255; }}
shift 2
cd {root} && {shell}
"""
_BENCHMARK = """#!/bin/sh
# Replays {recorded}/NAME.txt; {root}/answers holds lines `OPTION NAME STATUS`, of which the first that fits is taken.
echo "$*" >> {root}/calls
while read -r option name status; do
  case " $* " in *"$option"*)
    cat {recorded}/$name.txt
    case " $* " in *--enable_op_profiling=true*) cat {recorded}/profile.txt;; esac
    [ -e {root}/lose_after ] && [ "$(wc -l < {root}/calls)" -ge "$(cat {root}/lose_after)" ] && kill -9 $PPID
    [ -e {root}/rails ] && sh {root}/rails
    exit $status;;
  esac
done < {root}/answers
"""


@dataclass(frozen=True)
class FakeDevice:
    """A device that is a folder; `answers` are lines `OPTION NAME STATUS` of its `benchmark_model`."""

    root: Path
    program: Path

    def answers(self, *lines: str) -> None:
        (self.root / "answers").write_text("\n".join(lines) + "\n")

    def devices(self, *lines: str) -> None:
        (self.root / "devices").write_text("".join(f"{line}\n" for line in lines) + "\n")

    def lose_after(self, calls: int) -> None:
        """End the connection during this call of the program."""
        (self.root / "lose_after").write_text(str(calls))

    def has_rails(self) -> None:
        """Give it power rails that advance by 201 millijoules, one for each run, in every call of the program."""
        rail = self.root / "sys/bus/iio/devices/iio:device0/energy_value"
        rail.parent.mkdir(parents=True)
        rail.write_text("t=1000\nCH0(T=1000)[S2M_VDD_CPUCL2], 5000\nCH1(T=1000)[S2S_VDD_G3D], 1000\n")
        script = f'v=$(sed -n "s/.*CPUCL2., //p" {rail}); sed -i "s/CPUCL2., .*/CPUCL2], $((v + 201000))/" {rail}\n'
        (self.root / "rails").write_text(script)

    @property
    def calls(self) -> list[list[str]]:
        """Words of every call of the program."""
        path = self.root / "calls"
        return [shlex.split(line) for line in path.read_text().splitlines()] if path.is_file() else []

    @property
    def left(self) -> list[Path]:
        """What is left in the folder for temporary files."""
        return list((self.root / "tmp").iterdir())


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def make_device(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """Put a phone behind `adb` with the serial number PIXEL, and the same machine as host `board` behind `ssh`."""
    root = folder / "phone"
    for name in ("tmp", "sys", "host"):
        (root / name).mkdir(parents=True)
    shell = f". {root}/shell"
    (root / "shell").write_text(_SHELL.format(root=root, serial="PIXEL"))
    _program(root / "host/adb", _ADB.format(root=root, serial="PIXEL", shell=shell))
    _program(root / "host/ssh", _SSH.format(root=root, shell=shell))
    _program(root / "bin/getprop", f"#!/bin/sh\ncat <<'END'\n{_PROPERTIES}\nEND\n")
    _program(root / "bin/nproc", "#!/bin/sh\necho 8\n")
    program = _program(folder / "benchmark_model", _BENCHMARK.format(root=root, recorded=RECORDED))
    monkeypatch.setenv("PATH", f"{root / 'host'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(root / "tmp"))
    found = FakeDevice(root, program)
    found.devices("PIXEL\tdevice")
    found.answers("--use_xnnpack xnnpack 0", "--use_gpu gpu_failed 1", "--use_nnapi nnapi_nothing 0")
    return found


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """A device of `make_device`."""
    return make_device(tmp_path, monkeypatch)
