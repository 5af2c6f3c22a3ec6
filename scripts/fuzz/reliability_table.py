"""The twenty reliability checks in one table: what is tried, by which command or test, and what was found.

Made from the results of all of them; `python -m scripts.studies.documents` writes it into the documentation.
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from scripts.fuzz import (
    asserted,
    fuzz_readers,
    kills,
    mutated_images,
    mutated_models,
    mutated_weights,
    option_mistakes,
    outside_world,
    zoo_networks,
)
from scripts.studies import deploy
from scripts.studies.common.marked_blocks import ROOT

_ENDURANCE = "results/checks/submission_endurance.json"


def rows() -> list[tuple[str, str, str]]:
    """Return check, command or test, and finding of each row."""
    tests = _read(asserted.OUT)["checks"]
    return [*_processes(tests), *_files(), *_numbers(tests), *_surroundings(tests)]


def _processes(tests: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = _read(kills.RESULT)
    steps, saves = (list(found[name].values()) for name in ("at_steps", "during_saves"))
    return [
        ("`kill -9` at random steps, resumed", "`kills`", _kills(steps)),
        ("`kill -9` during a save, half with the temporary folder elsewhere", "`kills`", _kills(saves)),
        ("samples of an epoch with 0, 1, 2 and 4 workers", "tests", f"equal; {_passed(tests['workers'])}"),
    ]


def _kills(parts: Iterable[dict[str, Any]]) -> str:
    total = {name: sum(part[name] for part in parts) for name in ("kills", "numbers_different", "unreadable")}
    left = sum(len(part["leftovers"]) for part in parts)
    return (
        f"{total['kills']} kills: {total['numbers_different']} numbers differ, {total['unreadable']} files unreadable, "
        f"{left} left over"
    )


def _files() -> list[tuple[str, str, str]]:
    models, weights, images = (_read(module.OUT) for module in (mutated_models, mutated_weights, mutated_images))
    readers = _read(fuzz_readers.OUT)
    outcomes = [part["outcomes"] for commands in models["found"].values() for part in commands.values()]
    counts = sum((Counter(outcome) for outcome in outcomes), Counter())
    bad = sum(counts[kind] for kind in ("crash", "hang", "raised"))
    made = {name: weights["found"][name]["files"] for name in ("damaged", "hostile", "archives")}
    peak = max(weights["found"][name]["peak_mb"] for name in ("damaged", "hostile"))
    refused = weights["found"]["archives"]["outcomes"]["refused"]
    unexpected = sum(
        count
        for kinds in images["found"].values()
        for kind, count in kinds.items()
        if kind not in ("refused", "same pixels", "other pixels")
    )
    formats = readers["formats"]
    return [
        (
            "damaged `.tflite` files in `check`, `predict`, `bench`",
            "`mutated_models`",
            f"{models['files']} files, {counts.total()} calls: {bad} crashed, hung or raised",
        ),
        (
            "damaged and hostile weights",
            "`mutated_weights`",
            f"{made['damaged']} + {made['hostile']} files: {weights['executed']} run, at most {peak} MB",
        ),
        (
            "damaged annotations, read, written and read again",
            "`fuzz_readers`",
            f"{len(formats)} formats, {readers['cases']} + {readers['mutations']} each: 0 raised, read again equal",
        ),
        (
            "damaged, huge and odd images",
            "`mutated_images`",
            f"{images['files']} files: {unexpected} raised, crashed or hung",
        ),
        (
            "archives with names that lead outside",
            "`mutated_weights`",
            f"{made['archives']} archives: {weights['written_outside']} files outside, {refused} refused",
        ),
    ]


def _numbers(tests: dict[str, Any]) -> list[tuple[str, str, str]]:
    zoo = _read(zoo_networks.OUT)
    networks = list(zoo["networks"].values())
    pixels = {mode: max(found["max_px"].get(mode, float("nan")) for found in networks) for mode in zoo_networks.MODES}
    slowest = max(found["seconds"] for found in networks)
    late = sum(found["seconds"] > zoo["limit_s"] for found in networks)
    unconverted = [found for found in networks if found["failed"] and not found["max_px"]]
    released = _read(str(deploy.OUT))["rows"]
    mean = {mode: max(row["mean_px"] for row in released if row["stage"] == mode) for mode in ("fp16", "dynamic")}
    rise = max(row["nme_change_percent"] for row in released if row["stage"] == "int8")
    return [
        (
            "augmentations move points and pixels together",
            "tests",
            f"2 × 500 draws: at most {tests['geometry']['worst']['px']:.3f} px; {_passed(tests['geometry'])}",
        ),
        (
            "heatmaps decode to the point they were made from",
            "tests",
            f"10,000 points: at most {tests['heatmaps']['worst']['px']:.3f} px",
        ),
        (
            "STAR loss against `eigh`, gradients, degenerate maps",
            "tests",
            f"differs by {tests['star']['worst']['difference']:.1e}; {_passed(tests['star'])}",
        ),
        (
            "metrics against an independent version, two processes",
            "tests",
            f"1,000 sets: {tests['metrics']['worst']['difference']:.1e}; {_passed(tests['metrics'])}",
        ),
        (
            "parity of exported files",
            "`zoo_networks`, `deploy`",
            f"ONNX {pixels['onnx']:.4f} px, fp32 {pixels['fp32']:.4f} px at most; on faces fp16 {mean['fp16']:.3f} px, "
            f"dynamic {mean['dynamic']:.2f} px on average, int8 NME {rise:+.1f} %",
        ),
        (
            "every network: gradients, weights, ONNX, TFLite, operators",
            "`zoo_networks`",
            f"{len(networks)} networks: {len(unconverted)} failed; {late} above {zoo['limit_s']:.0f} s, at most "
            f"{slowest:.0f} s",
        ),
    ]


def _surroundings(tests: dict[str, Any]) -> list[tuple[str, str, str]]:
    mistakes, outside, endurance = (
        _read(name) for name in (option_mistakes.OUT, outside_world.RESULT, _ENDURANCE)
    )  # fmt: skip
    attempts = len(outside["attempts"])
    return [
        (
            "mistakes in options",
            "`option_mistakes`",
            f"{mistakes['right']} of {mistakes['mistakes']} right; recipes: {_passed(tests['configurations'])}",
        ),
        (
            "no network",
            "`outside_world`",
            f"{len(outside['commands'])} commands: {attempts} connections, {outside['packets']} packets",
        ),
        (
            "secrets in the environment",
            "`outside_world`",
            f"{len(outside['secrets'])} in {outside['files_searched']} files: {len(outside['secrets_found_in'])} found",
        ),
        (
            "contest package: bytes, each limit, dry run; 1,000 photos",
            "tests, `submission_endurance`",
            f"{_passed(tests['submission'])}; {endurance['photos']} photos: {endurance['growth_mb']:+.1f} MB",
        ),
        ("latency that is not steady is called unstable", "tests", _passed(tests["latency"])),
        ("commands, guides, links and numbers of the documentation", "tests", _passed(tests["documentation"])),
    ]


def _passed(part: dict[str, Any]) -> str:
    outcomes = part["outcomes"]
    skipped = f", {outcomes['skipped']} skipped" if "skipped" in outcomes else ""
    failed = f", {outcomes['failed']} failed" if "failed" in outcomes else ""
    return f"{outcomes.get('passed', 0)} tests passed{skipped}{failed}"


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / name).read_text())
    return content


def table(_: dict[str, Any]) -> str:
    """Return all checks as a Markdown table; its argument is the result that the block is named after."""
    lines = ["| | check | by | found |", "|---|---|---|---|"]
    lines += [f"| {number} | {' | '.join(row)} |" for number, row in enumerate(rows(), 1)]
    return "\n".join(lines)
