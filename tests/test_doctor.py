"""The doctor must name what is broken, say what to do, exit 1 then, and give nothing away."""

import subprocess
from pathlib import Path

import pytest

from distill import doctor
from distill.doctor import Check, Diagnosis, packages, probes
from distill.doctor.known_bad import known_bad_checks
from distill.doctor.packages import package_checks
from distill.doctor.probes import import_checks, torch_checks

DECLARED = {
    "distill-landmarks": [
        "numpy>=1.26",
        'torch>=2.6 ; extra == "train"',
        'numpy<2 ; extra == "convert"',
        'tensorflow==2.19.1 ; extra == "convert"',
        'distill-landmarks[train] ; extra == "all"',
    ],
    "torch": ["setuptools>=77", 'expecttest ; extra == "tests"'],
}
GOOD = {"numpy": "1.26.4", "torch": "2.13.0+cpu", "tensorflow": "2.19.1", "setuptools": "84.0"}
IDLE = {"devices": [], "cuda": None, "mps": False, "threads": 2, "torchvision": "imports"}


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"Provides-Extra": ["train", "convert", "all"]}

    class Metadata:
        def get_all(self, name: str) -> list[str]:
            return extras[name]

    monkeypatch.setattr(packages, "requirements_of", DECLARED.get)
    monkeypatch.setattr(packages.metadata, "metadata", lambda name: Metadata())


def statuses(checks) -> dict[str, str]:
    return {check.name: check.status for check in checks}


@pytest.mark.usefixtures("declared")
class TestPackages:
    def test_all_is_well(self):
        assert statuses(package_checks(GOOD)) == {"[base]": "OK", "[train]": "OK", "[convert]": "OK"}

    def test_an_extra_not_in_use_is_no_failure(self):
        # numpy 2 contradicts only [convert], which this user has not installed.
        checks = list(package_checks({"numpy": "2.1.0"}))
        assert statuses(checks) == {"[base]": "OK", "[train]": "WARN", "[convert]": "WARN"}
        assert "pip install 'distill-landmarks[train]'" in checks[1].step

    def test_a_missing_base_package_fails(self):
        assert statuses(package_checks({}))["[base]"] == "FAIL"

    def test_a_version_out_of_range_fails_and_names_the_range(self):
        checks = {check.name: check for check in package_checks(GOOD | {"numpy": "2.1.0"})}
        assert checks["[base]"].status == "OK"
        assert checks["[convert]"].status == "FAIL"
        assert "numpy 2.1.0 is not <2" in checks["[convert]"].found
        assert checks["[convert]"].step == "pip install 'numpy<2'"

    def test_conflicts_of_our_packages_are_found_and_their_extras_ignored(self):
        found = [c.found for c in package_checks(GOOD | {"setuptools": "65.0"}) if c.name == "conflict"]
        assert found == ["torch 2.13.0+cpu needs setuptools>=77, found 65.0"]

    def test_a_project_that_is_not_installed_says_so(self, monkeypatch):
        monkeypatch.setattr(packages, "requirements_of", lambda package: None)
        (check,) = package_checks(GOOD)
        assert (check.status, check.step) == ("FAIL", "run `make setup`")


@pytest.mark.parametrize(
    ("versions", "status", "word"),
    [
        ({"lightning": "2.6.2"}, "FAIL", "malware"),
        ({"lightning": "2.6.3"}, "FAIL", "malware"),
        ({"lightning": "2.5.0"}, "FAIL", "code from checkpoints"),
        ({"pytorch-lightning": "2.6.5"}, "FAIL", "code from checkpoints"),
        ({"torch": "2.5.1+cu121"}, "FAIL", "CVE-2025-32434"),
        ({"onnx": "1.20.1"}, "WARN", "outside"),
        ({"albumentationsx": "2.5.1"}, "WARN", "AGPL"),
        ({"ai-edge-litert": "2.1.0"}, "WARN", "BATCH_MATMUL"),
        ({"tflite-runtime": "2.14.0", "numpy": "2.4.6"}, "FAIL", "numpy 2.4.6"),
    ],
)
def test_known_bad_releases_are_named_once(versions, status, word):
    (check,) = known_bad_checks(versions)
    assert check.status == status
    assert word in check.found
    assert check.step


def test_good_releases_are_not_known_bad():
    good = {"torch": "2.13.0+cpu", "pytorch-lightning": "2.6.6", "tflite-runtime": "2.14.0", "numpy": "1.26.4"}
    assert list(known_bad_checks(good)) == []


@pytest.mark.parametrize(("free", "status"), [(50, "OK"), (5, "WARN"), (0.5, "FAIL")])
def test_disk(free, status):
    assert doctor.disk_check(free).status == status


@pytest.mark.parametrize(
    ("change", "has_nvidia", "expected"),
    [
        ({}, False, {"torch": "OK", "torchvision": "OK"}),
        ({}, True, {"torch": "WARN", "torchvision": "OK"}),
        ({"cuda": "12.6", "devices": ["H200"]}, True, {"torch": "OK", "torchvision": "OK"}),
        ({"cuda": "12.6"}, True, {"torch": "WARN", "torchvision": "OK"}),
        ({"mps": True}, False, {"torch": "OK", "torchvision": "OK"}),
        ({"torchvision": "broken: no symbol"}, False, {"torch": "OK", "torchvision": "FAIL"}),
    ],
)
def test_torch(change, has_nvidia, expected):
    assert statuses(torch_checks("2.13.0", IDLE | change, "", has_nvidia=has_nvidia)) == expected


def test_torch_that_does_not_import_fails_with_its_complaint():
    (check,) = torch_checks("2.13.0", None, "ImportError: libtorch.so", has_nvidia=False)
    assert check.status == "FAIL"
    assert "libtorch.so" in check.found


def test_a_package_that_does_not_import_is_one_line(monkeypatch):
    monkeypatch.setattr(probes, "probe", lambda code: (None, "ImportError: libGL.so.1: cannot open"))
    (check,) = import_checks({"opencv-python-headless": "4.11.0.86"})
    assert check.status == "FAIL"
    assert "libGL" in check.found


def test_probe_survives_a_crash_and_a_hang(monkeypatch):
    assert probes.probe("import json; print(json.dumps({'a': 1}))") == ({"a": 1}, "")
    assert probes.probe("import os; os.abort()") == (None, "killed by signal 6")
    assert probes.probe("raise ImportError('x.so')") == (None, "ImportError: x.so")
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.2)
    assert probes.probe("import time; time.sleep(9)") == (None, "no answer within 0.2 s")


def test_wandb_tells_of_a_key_but_never_shows_it(monkeypatch, tmp_path):
    check = doctor.wandb_check({"wandb": "0.28.0"}, {"WANDB_API_KEY": "sk-private"}, False)
    assert "key present" in check.found
    assert "sk-private" not in "".join(check)
    assert doctor.wandb_check({"wandb": "0.28.0"}, {"WANDB_MODE": "online"}, False).status == "WARN"
    assert doctor.wandb_check({}, {}, False).status == "WARN"

    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password sk-private\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert doctor._netrc_has_wandb()


def test_the_block_hides_the_home_folder_and_counts(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/someone"))
    checks = (
        Check("OK", "python", "3.11 at /home/someone/x/.venv/bin/python"),
        Check("FAIL", "disk", "0", "free some"),
    )
    text = Diagnosis(checks).render()
    assert "someone" not in text
    assert "~/x/.venv" in text
    assert "-> free some" in text
    assert text.endswith("1 cannot work, 0 warnings")


def test_exit_code_is_1_only_when_something_cannot_work():
    assert Diagnosis((Check("OK", "a", ""), Check("WARN", "b", ""))).exit_code == 0
    assert Diagnosis((Check("FAIL", "a", ""),)).exit_code == 1


def test_diagnose_puts_everything_together(monkeypatch):
    # The real children import torch and tensorflow; `make doctor` does that.
    monkeypatch.setattr(probes, "probe", lambda code: (IDLE, ""))
    monkeypatch.setenv("WANDB_API_KEY", "sk-private")
    diagnosis = doctor.diagnose()
    names = {check.name for check in diagnosis.checks}
    assert {"python", "platform", "processor", "disk", "torch", "torchvision", "tflite", "wandb"} <= names
    assert "sk-private" not in diagnosis.render()


def test_doctor_imports_nothing_heavy():
    import sys

    code = "import sys, distill.doctor; print(sorted({'torch', 'numpy', 'cv2', 'jsonargparse'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
