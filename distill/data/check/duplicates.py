"""Duplicates and split leakage: identical files, shared groups (photo, person, video) and near duplicates."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from distill.data.check.finding import Finding
from distill.data.check.photos import PhotoFacts, close_pairs
from distill.data.presets import SUBSET_NAMES
from distill.data.records import FaceRecord

# Both must hold. Of the 127 pairs listed with 300-W they find 92 %, and 750 studio portraits of 150 people (MUCT), who
# look more alike than any photos from the web, give two false pairs.
NEAR_BITS = 60
NEAR_DETAIL = 0.25

LEAK = "leave it out of training: give the test faces as such, and faces of their groups are left out"
SAME = "keep one of the two, or give both the same group"
NEAR = "compare the two; if it is one photo, give both the same group (300-W: near_duplicates.csv)"
_TEST_WORDS = (*SUBSET_NAMES["test"], *SUBSET_NAMES["val"])


def is_test(subset: str, named: Sequence[str] | None) -> bool:
    """Whether a subset is for testing: named so by the user, else by a word in its name, such as `helen/testset`."""
    if named is not None:
        return any(subset == name or subset.startswith(f"{name}/") for name in named)
    words = subset.lower().replace("set", "").replace("/", " ").replace("_", " ").replace("-", " ").split()
    return any(word in _TEST_WORDS for word in words)


def find_group_leaks(records: Sequence[FaceRecord], test: Sequence[str] | None) -> Iterator[Finding]:
    """Training faces whose group (photo, person, video) is also in a test subset."""
    tested: dict[str, FaceRecord] = {}
    for record in records:
        if is_test(record.subset, test):
            tested.setdefault(record.group, record)
    for record in records:
        if record.group in tested and not is_test(record.subset, test):
            what = f"same photo, person or video ('{record.group}') as {tested[record.group].name} of the test side"
            yield Finding("error", "leak", record.name, what, LEAK)


def find_same_bytes(
    facts: Mapping[Path, PhotoFacts], records: Sequence[FaceRecord], root: Path, test: Sequence[str] | None
) -> Iterator[Finding]:
    """Different files with the same content; an error where one is tested on and the other is not."""
    subsets = {record.image: record.subset for record in records}
    by_hash: dict[str, list[Path]] = defaultdict(list)
    for path, fact in facts.items():
        if fact.sha256:
            by_hash[fact.sha256].append(path)
    for paths in by_hash.values():
        first, *others = paths
        for other in others:
            used = [subsets[path] for path in (first, other) if path in subsets]
            leaks = len(used) == 2 and is_test(used[0], test) != is_test(used[1], test)
            what = f"the same bytes as {_below(first, root)}" + (", on the other side of the split" if leaks else "")
            yield Finding("error" if leaks else "warning", "same file", _below(other, root), what, SAME)


def find_near_duplicates(
    facts: Mapping[Path, PhotoFacts], records: Sequence[FaceRecord], test: Sequence[str] | None
) -> Iterator[Finding]:
    """Near-duplicate faces that belong to different groups."""
    hashed = [record for record in records if record.name in facts[record.image].hashes]
    if not hashed:
        return
    hashes = [facts[record.image].hashes[record.name] for record in hashed]
    for i, j, bits in close_pairs(np.stack([face_hash.bits for face_hash in hashes]), NEAR_BITS):
        first, second = hashed[i], hashed[j]
        difference = 1 - float(hashes[i].detail @ hashes[j].detail)
        same_file = facts[first.image].sha256 == facts[second.image].sha256
        if first.group == second.group or same_file or difference > NEAR_DETAIL:
            continue
        sides = is_test(first.subset, test), is_test(second.subset, test)
        trained, other = (second, first) if sides == (True, False) else (first, second)
        leaks = sides[0] != sides[1]
        what = f"looks like {other.name} ({bits} of 256 bits differ)" + (" of the test side" if leaks else "")
        yield Finding("warning", "near duplicate, leaks" if leaks else "near duplicate", trained.name, what, NEAR)


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
