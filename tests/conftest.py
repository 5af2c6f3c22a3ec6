"""Fixtures of every test: no network, account or installation, one thread a worker, real faces where present."""

import gc
import os
import re
import socket
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadGroupScheduling

from distill.landmarks.convert import clear_own_schemes_and_maps

# Before anything imports the libraries that read them; children inherit them.
os.environ |= {
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MPLBACKEND": "Agg",
    "HF_HUB_OFFLINE": "1",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "DISTILL_OFFLINE": "1",  # no test makes an environment; `make setup` does
}
# Workers of pytest-xdist share the cores: one thread of each library a worker, also in the processes it starts.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    os.environ |= dict.fromkeys(THREADS, "1")
for secret in ("WANDB_API_KEY", "HF_TOKEN"):
    os.environ.pop(secret, None)
# Hundreds of processes are started here: without bytecode, each would compile the package again; this one, the tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# As in commands (distill/cli/main.py): a tenth of the time of the tests.
gc.set_threshold(10_000)

# Time limits of single examples only measure how busy the machine is.
settings.register_profile("distill", deadline=None, print_blob=True)
settings.load_profile("distill")

# Modules of tests/support with fixtures.
FIXTURES = ("command_processes", "evaluation", "exported", "fake_devices", "pipeline", "tflite_files")
# What makes tests share a worker: the conversion of tests/support/exported.py, the server of command_processes.py, the
# runs of pipeline.py.
SHARED = {
    "exported": r"exported: ExportResult|\breuse_exported\b",
    "server": r"\bserver: ForkServerContext",
    "pipeline": r"\bpipeline: Path",
}

ROOT = Path(__file__).resolve().parents[1]
# Their tests train, build environments or start processes.
LONG_FOLDERS = {"bench", "submission", "training"}
LOOPBACK = {"localhost", "::1", "0.0.0.0", "::", "", None}


def _is_local(host: Any) -> bool:
    host = host.decode() if isinstance(host, bytes) else host
    return host in LOOPBACK or str(host).startswith("127.") or host == socket.gethostname()


class SharedFixtures(LoadGroupScheduling):
    """Tests of a class or a file run on one worker, and all on a fixture of `SHARED`.

    `loadgroup` alone sends consecutive tests to different workers, each of which makes the fixtures of their file, and
    since pytest 9.2 it disregards marked groups: pytest-xdist 3.8 cannot add their names to the ids of tests.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _shared_fixture(nodeid.partition("::")[0]) or nodeid.rsplit("::", 1)[0]


@cache
def _shared_fixture(path: str) -> str:
    """Return the fixture of `SHARED` that tests of a file use, or an empty string."""
    text = (ROOT / path).read_text()
    return next((name for name, pattern in SHARED.items() if re.search(pattern, text)), "")


def pytest_configure(config: pytest.Config) -> None:
    """Import the fixtures where tests run: without torch, the controller of pytest-xdist starts its workers at once."""
    if "PYTEST_XDIST_WORKER" in os.environ or config.option.collectonly or config.getvalue("dist") == "no":
        for name in FIXTURES:
            config.pluginmanager.import_plugin(f"tests.support.{name}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedFixtures | None:
    """Distribute tests as `SharedFixtures` does where pytest-xdist was called with `--dist loadgroup`."""
    config.option.loadscopereorder = False
    return SharedFixtures(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On workers, start with what takes longest."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.parent for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (_rank(item), item.parent in slow, _is_long(item)), reverse=True)


def pytest_collection_finish() -> None:
    """Let the garbage collector leave out what stays until the end: libraries, tests and fixtures."""
    gc.collect()
    gc.freeze()


def _rank(item: pytest.Item) -> int:
    """Rank the fixtures of `SHARED` above other tests, so that each worker starts with one of them."""
    return ["", *SHARED].index(_shared_fixture(item.nodeid.partition("::")[0]))


def _is_long(item: pytest.Item) -> bool:
    return not LONG_FOLDERS.isdisjoint(item.path.parts)


@pytest.fixture(scope="session", autouse=True)
def _no_fsync() -> Iterator[None]:
    """Do not wait for the disk: thousands of files are written, and no test survives a power failure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _wandb_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep W&B out of the home folder and of the repository."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_DIR", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture(autouse=True)
def _no_own_schemes() -> Iterator[None]:
    """Remove the schemes of a test's own files: the next test may call others by the same name."""
    yield
    clear_own_schemes_and_maps()


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Refuse every connection that leaves the machine, and fail the test that tried even when it caught the error."""
    attempts: list[str] = []

    def check(host: Any) -> None:
        if not _is_local(host):
            attempts.append(str(host))
            raise ConnectionRefusedError(f"tests have no network: {host}")

    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            check(address[0])
        connect(self, address)

    def guarded_resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        check(host)
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
    yield attempts
    if attempts and not request.node.get_closest_marker("tries_network"):
        pytest.fail(f"this test tried to reach {', '.join(sorted(set(attempts)))}")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that holds 300W/, WFLW/ …; research data, only read, never copied into the project."""
    folder = Path(os.environ.get("DISTILL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "300W").is_dir():
        pytest.skip("real faces not found: set DISTILL_DATA")
    return folder
