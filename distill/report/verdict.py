"""Verdict of a report in words: the student against teacher and baseline, the gain from distillation, the export."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.evaluate.result import Evaluation, paired_bootstrap
from distill.evaluate.seeds import SeedDifference, seed_difference
from distill.export.verify.parity import ParityResult
from distill.export.verify.tolerances import Gate
from distill.report.page import Statement
from distill.report.sources import Source

# From this NME over the distance of the eyes on, a face counts as failed in the literature, as in FR@8.
_FAILED = 0.08
_ORDER = ("student", "model", "baseline", "teacher", "detector")
Group = Mapping[str, tuple[Evaluation, Mapping[str, Any]]]


def verdict(sources: Sequence[Source], groups: Sequence[Group]) -> list[Statement]:
    """Answer the three questions of a report from the first group of comparable evaluations.

    Sources are students, baselines and teachers by their config.yaml. The first student is judged, or where there is
    none the first model without a config.yaml, the first baseline, the first teacher. Of face detectors alone, the
    only answer is the average precision of the first.
    """
    student = min(sources, key=lambda source: _ORDER.index(source.role))
    measured = groups[0] if groups else {}
    if student.role == "detector":
        return [_detector(student)]
    return [
        _good(student, sources, measured),
        _helped(student, sources, measured),
        _runs(student),
    ]


def _good(student: Source, sources: Sequence[Source], measured: Group) -> Statement:
    question = f"Is {student.name} good?"
    if student.name not in measured:
        return Statement(question, "missing", "It was not evaluated.", _evaluate(student))
    own = measured[student.name][0]
    low, high = own.interval()
    text = (
        f"Its NME is {_percent(own.nme().mean())} (95 % {100 * low:.2f} to {100 * high:.2f}) of the {own.primary} "
        f"distance on {own.protocol.n_faces} faces"
    )
    if student.role == "teacher":
        words = ["distill", "student", "--config", "student", "--teacher", str(_checkpoint(student)), *_data(student)]
        return Statement(question, "missing", f"{text}. It is a teacher; no student of it is here.", shlex.join(words))
    teacher = next((source for source in sources if source.role == "teacher"), None)
    if teacher is None or teacher.name not in measured:
        command = _evaluate(teacher) if teacher else _evaluate_path(student, student.config.get("teacher"), "teacher")
        return Statement(question, "missing", f"{text}. Its teacher was not evaluated on these faces.", command)
    baseline = next((s for s in sources if s.role == "baseline" and s.name in measured and s is not student), None)
    above, relation = _relation(own, measured[teacher.name][0], "its teacher")
    text = f"{text}, {relation}"
    if baseline is not None:
        above_baseline, relation = _relation(own, measured[baseline.name][0], "the baseline")
        text = f"{text} and {relation}"
    if own.primary != "box" and own.nme().mean() > _FAILED:
        return Statement(question, "no", f"{text}. A face counts as failed from {100 * _FAILED:g} % on (FR@8).")
    if above <= 0:
        return Statement(question, "yes", f"{text}.")
    if baseline is None:
        return Statement(question, "unclear", f"{text}; whether that is good for its size needs a baseline.")
    return Statement(question, "yes" if above_baseline < 0 else "no", f"{text}.")


def _detector(source: Source) -> Statement:
    question = f"Is {source.name} good?"
    precision = source.summary.get("val/ap")
    if precision is None:
        return Statement(question, "missing", "Its training has not ended.")
    text = f"Its average precision is {_percent(precision)} on the photos that were held out, which chose its weights."
    return Statement(question, "unclear", text, shlex.join(["distill", "evaluate", str(_checkpoint(source))]))


def _relation(own: Evaluation, other: Evaluation, name: str) -> tuple[int, str]:
    """Return whether an NME is below (-1), above (1) or not distinguishable from another (0), and that in words."""
    mean, low, high = (100 * value for value in paired_bootstrap(own, other))
    if low <= 0 <= high:
        return 0, f"not distinguishable from {name}"
    if mean > 0:
        return 1, f"{mean:.2f} points ({low:.2f} to {high:.2f}) above {name}"
    return -1, f"{-mean:.2f} points ({-high:.2f} to {-low:.2f}) below {name}"


def _helped(student: Source, sources: Sequence[Source], measured: Group) -> Statement:
    question = "Did the teacher help?"
    if student.role in ("baseline", "teacher"):
        return Statement(question, "missing", "No student that was distilled is here.")
    if student.role != "student":
        return Statement(question, "missing", f"{student.name} has no config.yaml: how it was trained is not known.")
    pairs = _pairs(student, sources, measured)
    if not pairs:
        return Statement(
            question, "missing", "No baseline with the same seed was evaluated on these faces.", _baseline(student)
        )
    difference = seed_difference([(measured[own.name][0], measured[other.name][0]) for own, other in pairs])
    text = f"{_change(pairs, measured, difference)}.{_dissent(pairs, difference)}{_effort(pairs)}"
    if difference.low <= 0 <= difference.high:
        return Statement(question, "unclear", f"{text} A change of 0 is inside the interval.")
    return Statement(question, "yes" if difference.high < 0 else "no", text)


def _change(pairs: Sequence[tuple[Source, Source]], measured: Group, difference: SeedDifference) -> str:
    """Describe how the NME differs from that of the baselines."""
    own, baseline = (float(np.mean([measured[pair[role].name][0].nme().mean() for pair in pairs])) for role in range(2))
    mean, low, high = (f"{100 * value:+.2f}" for value in (difference.mean, difference.low, difference.high))
    text = f"The NME is {_percent(own)} instead of {_percent(baseline)} without distillation"
    if len(pairs) == 1:
        where = "95 % over faces), with one seed, so that the variation between trainings is not known"
        return f"{text}: {mean} points of NME ({low} to {high}, {where}"
    first, last = (f"{100 * value:+.2f}" for value in (min(difference.by_seed), max(difference.by_seed)))
    where = f"95 % over faces and seeds), over {len(pairs)} seeds, which differ from {first} to {last}"
    return f"{text}: {mean} points of NME ({low} to {high}, {where}"


def _dissent(pairs: Sequence[tuple[Source, Source]], difference: SeedDifference) -> str:
    """Name the seeds whose difference does not have the sign of the mean."""
    found = [
        f"{pairs[index][0].config.get('seed')} ({100 * difference.by_seed[index]:+.2f})"
        for index in difference.dissenting
    ]
    if len(pairs) == 1 or not found:
        return ""
    return f" Not every seed agrees with the mean: seed {', seed '.join(found)}."


def _effort(pairs: Sequence[tuple[Source, Source]]) -> str:
    """State how many images both sides were trained on, where that is recorded."""
    own, baseline = ({pair[role].images for pair in pairs} for role in range(2))
    if None in own | baseline:
        return ""
    if own == baseline and len(own) == 1:
        return f" Each was trained on {next(iter(own)):,} images."
    counts = (" and ".join(f"{count:,}" for count in sorted(filter(None, side))) for side in (own, baseline))
    return " It was trained on {} images, the baseline on {}: not an equal comparison.".format(*counts)


def _pairs(student: Source, sources: Sequence[Source], measured: Group) -> list[tuple[Source, Source]]:
    """Pair students and baselines of one seed, the same recipe with other seeds included."""
    baselines = {s.config.get("seed"): s for s in sources if s.role == "baseline" and s.name in measured}
    students = {
        s.config.get("seed"): s
        for s in reversed(sources)
        if s.role == "student" and s.name in measured and s.config.get("kd") == student.config.get("kd")
    }
    shared = [seed for seed in students if seed in baselines]
    return [(students[seed], baselines[seed]) for seed in shared]


def _runs(student: Source) -> Statement:
    question = "Does the exported file run where it must?"
    if student.export is None:
        command = shlex.join(["distill", "export", str(_checkpoint(student))]) if student.folder else None
        return Statement(question, "missing", "It was not exported.", command)
    try:
        return _parity(question, student.export)
    except (KeyError, TypeError):
        return Statement(question, "missing", "Its export.json is not whole; export it again.")


def _parity(question: str, export: Mapping[str, Any]) -> Statement:
    results = [ParityResult(**{**result, "gate": Gate(**result["gate"])}) for result in export["parity"]["results"]]
    missed = [result.name for result in results if result.missed]
    if missed:
        return Statement(
            question, "no", f"Its points differ from PyTorch's by more than the gate allows in {', '.join(missed)}."
        )
    ops = export.get("ops", {})
    refused = sorted({row["op"] for mode in ops.values() for row in mode["rows"] if row["verdict"] != "ok"})
    if refused:
        return Statement(question, "no", f"The oldest runtime has no {', '.join(refused)}.")
    largest = max((result.max_px for result in results), default=0.0)
    where = ", ".join(result.name for result in results)
    return Statement(question, "yes", f"Its points are within {largest:.2g} px of PyTorch's in all of: {where}.")


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"


def _checkpoint(source: Source) -> Path:
    return (source.folder or Path()) / "best.ckpt"


def _data(source: Source) -> list[str]:
    """Options that name the test faces of a run."""
    data = source.config.get("data", {})
    kind = ["--data.preset", data["preset"]] if data.get("preset") else ["--data.format", data.get("format", "300w")]
    words = [*kind, "--data.root", str(data.get("root", "data/300W"))]
    return [*words, "--data.subset", data["test_subset"]] if data.get("test_subset") else words


def _evaluate(source: Source) -> str | None:
    if source.folder is None:
        return None
    words = ["distill", "evaluate", str(_checkpoint(source)), *_data(source)]
    return shlex.join([*words, "--json", str(source.folder / "evaluation.json")])


def _evaluate_path(source: Source, path: Any, name: str) -> str | None:
    """Return the evaluation of a file that no source of the report is."""
    path = path[0] if isinstance(path, list) and path else path
    if not isinstance(path, str):
        return None
    return shlex.join(["distill", "evaluate", path, *_data(source), "--json", f"{name}.json"])


def _baseline(student: Source) -> str | None:
    if student.folder is None:
        return None
    config = str(student.folder / "config.yaml")
    return shlex.join(
        ["distill", "student", "--config", config, "--kd.kind", "none", "--name", f"{student.name}_baseline"]
    )
