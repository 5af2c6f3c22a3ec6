"""Numeric tables of exports, operator checks and bench runs, from the JSON that the commands write."""

from collections.abc import Iterable, Mapping
from typing import Any

from distill.tracking.tables import Table, table_of


def parity_table(export: Mapping[str, Any]) -> Table:
    """Return the stages of an export against PyTorch: distances in pixels, the rise of the NME in percent points."""
    return table_of(
        {
            "stage": result["name"],
            "max_px": result["max_px"],
            "mean_px": result["mean_px"],
            "gate_px": result["gate"]["max_px"],
            "nme_rise_percent": _percent(result.get("nme_rise")),
        }
        for result in export["parity"]["results"]
    )


def files_table(export: Mapping[str, Any]) -> Table:
    """Return the files of an export with their sizes in bytes."""
    return table_of({"mode": mode, "bytes": file["bytes"]} for mode, file in export["files"].items())


def operators_table(ops: Mapping[str, Any]) -> Table:
    """Return the operators of a TFLite file: how often each occurs, and whether the runtime has it."""
    columns = ("op", "version", "count", "since")
    return table_of({**{name: row[name] for name in columns}, "ok": row["verdict"] == "ok"} for row in ops["rows"])


def detection_table(evaluations: Iterable[Mapping[str, Any]]) -> Table:
    """Return evaluations of face detectors: average precision, and what they find at their operating score."""
    shares = ("recall", "precision")
    return table_of(
        {
            "model": content["model"],
            **{name: content["protocol"][name] for name in ("photos", "faces", "boxes")},
            "ap_percent": _percent(content["ap"]),
            **{f"{name}_percent": _percent(content["at_operating_score"][name]) for name in shares},
            "false_per_photo": content["at_operating_score"]["false_per_photo"],
        }
        for content in evaluations
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def latency_table(bench: Mapping[str, Any]) -> Table:
    """Return the models of a bench run: time in ms, size in bytes, accuracy in percent."""
    models = {model["name"]: model for model in bench["models"]}
    return table_of(
        {
            "model": time["name"],
            "engine": time.get("engine") or models[time["name"]].get("engine"),
            "threads": time["threads"],
            "median_ms": time["median_ms"],
            "iqr_ms": time["iqr_ms"],
            "ratio": time["ratio"],
            "stable": time["stable"],
            **{name: models[time["name"]][name] for name in ("bytes", "macs", "peak_rss_bytes", "nme_percent")},
        }
        for time in bench["times"]
        if time["part"] == "model"
    )
