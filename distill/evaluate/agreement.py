"""Agreement of a student with its teacher, and the share of the teacher's errors it reproduces."""

from typing import Any

import numpy as np

from distill.evaluate.protocol import require_alike
from distill.evaluate.result import Evaluation

# A teacher's point this far off (in units of the primary normaliser) counts as a mistake.
MISTAKE = 0.06


def agreement(student: Evaluation, teacher: Evaluation) -> dict[str, Any]:
    """Compare the points of two models on the same faces.

    Returns:
        `distance_percent`: mean distance of the student's points from the teacher's, of the primary normaliser;
        `face_correlation`: of the two NMEs over faces;
        `error_correlation`: of the two error vectors over all points (1: the same errors, 0: unrelated);
        `teacher_mistakes`: how many points the teacher has more than `MISTAKE` off;
        `copied_percent`: share of these where the student is nearer to the teacher's point than to the truth, None when
        there are none. Read it against the same figure of a baseline trained without it: hard points mislead both.

    Raises:
        ConfigError: measured on other faces or in another way.
    """
    require_alike(student.protocol, teacher.protocol)
    distance = student.distances[student.primary][:, None]
    own = student.offsets / distance[..., None]
    reference = teacher.offsets / distance[..., None]
    known = np.isfinite(own) & np.isfinite(reference)
    own = np.where(known, own, 0)
    reference = np.where(known, reference, 0)
    apart = np.linalg.norm(own - reference, axis=-1)
    wrong = np.linalg.norm(reference, axis=-1) > MISTAKE
    nearer = apart < np.linalg.norm(own, axis=-1)
    norms = np.sqrt((own**2).sum() * (reference**2).sum())
    return {
        "distance_percent": 100 * float(apart[known.all(-1)].mean()),
        "face_correlation": float(np.corrcoef(student.nme(), teacher.nme())[0, 1]) if len(apart) > 1 else None,
        "error_correlation": float((own * reference).sum() / norms) if norms > 0 else None,
        "teacher_mistakes": int(wrong.sum()),
        "copied_percent": 100 * float(nearer[wrong].mean()) if wrong.any() else None,
    }
