"""Fixtures of every test: no network, no account, one thread a worker, and real faces where present."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from distill.landmarks.convert import forget_own_schemes

# Before anything imports the libraries that read them; children inherit them.
os.environ |= {
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MPLBACKEND": "Agg",
    "HF_HUB_OFFLINE": "1",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
}
# Workers of pytest-xdist share the cores: one thread of each library a worker, also in the processes it starts.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    os.environ |= dict.fromkeys(THREADS, "1")
for secret in ("WANDB_API_KEY", "HF_TOKEN"):
    os.environ.pop(secret, None)

# Time limits of single examples only measure how busy the machine is.
settings.register_profile("distill", deadline=None, print_blob=True)
settings.load_profile("distill")

pytest_plugins = ["tests.support.evaluation", "tests.support.exported", "tests.support.tflite_files"]

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = {"localhost", "::1", "0.0.0.0", "::", "", None}


def _is_local(host: Any) -> bool:
    host = host.decode() if isinstance(host, bytes) else host
    return host in LOOPBACK or str(host).startswith("127.") or host == socket.gethostname()


@pytest.fixture(scope="session", autouse=True)
def _wandb_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep W&B out of the home folder and of the repository."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_DIR", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture(autouse=True)
def _no_own_schemes() -> Iterator[None]:
    """Forget the schemes of a test's own files: the next test may call others by the same name."""
    yield
    forget_own_schemes()


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
