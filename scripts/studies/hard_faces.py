"""Error curves on hard faces of WFLW: `python -m scripts.studies.hard_faces DATA [NAME ...]`.

DATA holds the folder WFLW. Released models are compared by quantiles and by the mean after one constant offset per
point, fitted on other faces (five folds): WFLW places the 51 points that it shares with 300-W 2.4 % of the eye distance
elsewhere, a difference between data sets. Writes results/studies/hard_faces.json, its table in the documentation and
docs/images/hard_faces.png.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.evaluate.evaluate import evaluate
from distill.evaluate.result import Evaluation
from distill.files import write_bytes
from distill.pretrained.registry import resolve_model
from distill.provenance import write_result
from distill.report.plots import ced_plot
from scripts.studies.common.arms import mean_with_interval
from scripts.studies.common.evaluation_faces import hard_faces
from scripts.studies.common.marked_blocks import ROOT, update_block

OUT = "results/studies/hard_faces.json"
PICTURE = ROOT / "docs/images/hard_faces.png"
MODELS = ("student_128_refined", "student_128_turned", "student_68_128", "student_68_256", "efld_68_128")
FOLDS = 5
# Errors above are not drawn.
LIMIT = 0.20
# The worst fifth of the faces.
WORST = 5


def without_offset(result: Evaluation) -> NDArray[np.float64]:
    """Return the NME of every face after one constant offset per point, the median over faces of other folds."""
    residuals = result.offsets / result.distances[result.primary][:, None, None]
    fold = np.arange(len(residuals)) % FOLDS
    centres = [np.median(residuals[fold != index], axis=0) for index in range(FOLDS)]
    moved = residuals - np.stack([centres[index] for index in fold])
    return np.linalg.norm(moved, axis=-1).mean(1).astype(np.float64)


def described(result: Evaluation) -> dict[str, Any]:
    """Return mean, quantiles and tail of an evaluation, in percent."""
    nme = result.nme()
    worst = np.sort(nme)[-(len(nme) // WORST) :]
    return {
        **{f"{name}_percent": 100 * value for name, value in result.summary().items()},
        "nme_95_percent": [100 * end for end in result.interval()],
        "quantiles_percent": {str(q): 100 * float(np.percentile(nme, q)) for q in (25, 50, 75, 90)},
        "without_offset_percent": 100 * float(without_offset(result).mean()),
        "worst_fifth_of_sum_percent": 100 * float(worst.sum() / nme.sum()),
        "protocol": result.protocol.to_dict(),
    }


def table(study: Mapping[str, Any]) -> str:
    """Return all models as a Markdown table."""
    quantiles = ("25 %", "median", "75 %", "90 %")
    head = ("model", "mean (95 %)", "without offset", *quantiles, "above 8 %", "worst fifth's share")
    lines = [f"| {' | '.join(head)} |", f"|---|---{'|---:' * (len(head) - 2)}|"]
    for name, found in study["models"].items():
        values = [found["without_offset_percent"], *found["quantiles_percent"].values()]
        cells = [f"`{name}`", mean_with_interval(found["nme_percent"], *found["nme_95_percent"])]
        cells += [f"{value:.2f}" for value in values]
        cells += [f"{found['fr8_percent']:.1f}", f"{found['worst_fifth_of_sum_percent']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, draw and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*", default=list(MODELS))
    options = parser.parse_args()
    results = {name: evaluate(resolve_model(name, weights=True), **hard_faces(options.data)) for name in options.names}
    study = {"models": {name: described(result) for name, result in results.items()}}
    write_result(OUT, study)
    write_bytes(PICTURE, ced_plot(results, limit=LIMIT))
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
