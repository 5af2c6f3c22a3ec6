"""Download a model from the Hugging Face hub, compared with its published SHA-256.

The only module of the package that opens a network connection for a model, and only for names that start with `hf:`.
"""

import os
import re
from pathlib import Path
from urllib.parse import quote

from distill.errors import CheckpointError, ConfigError
from distill.files import cache_folder, sha256, write_bytes

_FORM = re.compile(
    r"hf:(?P<repository>[\w.-]+/[\w.-]+)/(?P<file>[\w./-]+?)(@(?P<revision>[\w.-]+))?(#sha256=(?P<sha256>[0-9a-f]{64}))?"
)
_SUMS = "SHA256SUMS"
_TIMEOUT_S = 15
_MAX_BYTES = 500_000_000
_SIDECARS = (".tflite", ".onnx")


def download(name: str) -> Path:
    """Return the local file of `hf:OWNER/REPOSITORY/FILE[@REVISION][#sha256=HEX]`, downloaded once.

    The SHA-256 is the one in the name, else the one in the repository's file SHA256SUMS. The address of the hub is
    `HF_ENDPOINT`, https://huggingface.co by default.

    Raises:
        ConfigError: the name has another form, or the hub cannot be reached.
        CheckpointError: no published SHA-256, or the file has another one.
    """
    match = _FORM.fullmatch(name)
    if match is None:
        raise ConfigError(f"{name}: write hf:OWNER/REPOSITORY/FILE, optionally with @REVISION and #sha256=HEX")
    repository, file, revision = match["repository"], match["file"], match["revision"] or "main"
    folder = cache_folder() / "hub" / repository.replace("/", "--") / revision
    target = folder / file
    files = [file] + ([str(Path(file).with_suffix(".json"))] if target.suffix in _SIDECARS else [])
    digests = _digests(folder, repository, revision) if match["sha256"] is None else {file: match["sha256"]}
    for part in files:
        _fetch_verified(folder / part, repository, revision, part, digests.get(part), optional=part != file)
    return target


def _digests(folder: Path, repository: str, revision: str) -> dict[str, str]:
    sums = folder / _SUMS
    if not sums.is_file():
        content = _fetch(repository, revision, _SUMS)
        if content is None:
            raise CheckpointError(
                f"hf:{repository}: has no {_SUMS}; add #sha256=HEX to the name of the file to say which one is meant"
            )
        write_bytes(sums, content)
    lines = (line.split() for line in sums.read_text(errors="replace").splitlines() if line.strip())
    return {parts[1].lstrip("*"): parts[0] for parts in lines if len(parts) == 2}


def _fetch_verified(path: Path, repository: str, revision: str, file: str, digest: str | None, optional: bool) -> None:
    """Download one file unless it is in the cache.

    A sidecar without a digest of its own is accepted: it holds the SHA-256 of its model, which is compared on loading.
    """
    if digest is None and not optional:
        raise CheckpointError(f"hf:{repository}/{file}: not listed in {_SUMS}; add #sha256=HEX to the name")
    if not path.is_file():
        content = _fetch(repository, revision, file)
        if content is None:
            raise CheckpointError(f"hf:{repository}/{file}: no such file at revision {revision}")
        write_bytes(path, content)
    if digest is not None and sha256(path) != digest:
        path.unlink()
        raise CheckpointError(f"hf:{repository}/{file}: SHA-256 differs from the published one; nothing was kept")


def _fetch(repository: str, revision: str, file: str) -> bytes | None:
    """Return the content of a file of a repository, None where there is none."""
    import urllib.error  # here, because it takes longer to import than everything else a prediction needs
    import urllib.request

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    if not endpoint.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise ConfigError(f"HF_ENDPOINT is {endpoint}; give an https address")
    url = f"{endpoint}/{repository}/resolve/{quote(revision)}/{quote(file)}"
    request = urllib.request.Request(url, headers={"User-Agent": "distill"})  # noqa: S310  scheme checked above
    token = os.environ.get("HF_TOKEN")
    if token and endpoint.startswith("https://"):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310
            content: bytes = reply.read(_MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise ConfigError(f"{url}: the hub answered {error.code} {error.reason}") from error
    except OSError as error:
        raise ConfigError(
            f"{url}: cannot be reached ({error}); copy the file and its .json here and give its path"
        ) from error
    if len(content) > _MAX_BYTES:
        raise CheckpointError(f"{url}: more than {_MAX_BYTES // 10**6} MB")
    return content
