"""Regenerate every marked block of the documentation from its result: `python -m scripts.studies.documents`."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from scripts import demo
from scripts.bench import batch, kd_step, lanes, photo_threads, photos, train_step
from scripts.checks import own_points
from scripts.fuzz import (
    asserted,
    hostile,
    kills,
    mutated_images,
    mutated_models,
    mutated_weights,
    option_mistakes,
    outside_world,
    reliability_table,
)
from scripts.studies import (
    ablations,
    all_labels,
    annotation_shift,
    confidence,
    deploy,
    detector_boxes,
    detector_int8,
    detector_large_faces,
    detector_refinement,
    detector_sizes,
    detector_suppression,
    detector_widths,
    detectors,
    few_labels,
    gradient_norms,
    hard_faces,
    int8_files,
    int8_training,
    kd_study,
    peers,
    pipeline_300w,
    released,
    released_model,
    retinaface,
    roll,
    student_recipe,
    student_sizes,
    swinv2_mobilevitv2,
    third_party_boxes,
    video,
    weak_labels,
    zoo,
)
from scripts.studies.common.marked_blocks import ROOT, documents, marked_blocks, replace_between
from scripts.studies.papers import contents, page

# Result -> the function that makes the text between its marks.
BLOCKS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    str(deploy.OUT): deploy.block,
    all_labels.OUT: few_labels.table,
    annotation_shift.OUT: annotation_shift.table,
    asserted.OUT: reliability_table.table,
    confidence.OUT: confidence.table,
    demo.OUT: demo.block,
    detector_boxes.OUT: detector_boxes.table,
    detector_int8.OUT: detector_int8.table,
    detector_large_faces.OUT: detector_large_faces.table,
    detector_refinement.OUT: detector_refinement.table,
    detector_sizes.OUT: detector_sizes.table,
    detector_suppression.OUT: detector_suppression.table,
    third_party_boxes.OUT: third_party_boxes.table,
    detector_widths.OUT: detector_widths.table,
    detectors.OUT: detectors.table,
    few_labels.OUT: few_labels.table,
    gradient_norms.OUT: gradient_norms.table,
    hard_faces.OUT: hard_faces.table,
    hostile.OUT: hostile.table,
    int8_training.OUT: int8_training.table,
    int8_files.OUT: int8_files.table,
    kd_step.OUT: kd_step.speed_table,
    f"{kd_step.OUT}#codec": kd_step.codec_table,
    kd_study.OUT: kd_study.table,
    kills.RESULT: kills.block,
    mutated_images.OUT: mutated_images.table,
    mutated_models.OUT: mutated_models.table,
    mutated_weights.OUT: mutated_weights.table,
    option_mistakes.OUT: option_mistakes.table,
    outside_world.RESULT: outside_world.block,
    own_points.RESULT: own_points.text_of,
    peers.OUT: peers.table,
    pipeline_300w.OUT: pipeline_300w.block,
    str(batch.RESULT): batch.table,
    str(lanes.RESULT): lanes.table,
    photos.OUT: photos.table,
    photo_threads.OUT: photo_threads.table,
    retinaface.OUT: retinaface.table,
    str(released.OUT): released.block,
    f"{released.OUT}#choice": released.choice,
    **{f"results/studies/{name}.json": released_model.table for name in released_model.RESULTS},
    roll.OUT: roll.table,
    f"{roll.OUT}#choice": roll.choice,
    student_recipe.OUT: student_recipe.table,
    f"{student_recipe.OUT}#gain": student_recipe.gain,
    student_sizes.OUT: student_sizes.table,
    swinv2_mobilevitv2.OUT: swinv2_mobilevitv2.table,
    train_step.OUT: train_step.table,
    video.OUT: video.table,
    weak_labels.OUT: weak_labels.table,
    str(zoo.OUT): zoo.block,
    **{ablations.result_path(paper): partial(ablations.block, paper) for paper in ablations.PAPERS},
}
# Blocks that are made from the YAML file of a paper and from the results that it names.
PAPER_BLOCKS: Mapping[str, Callable[[], str]] = {
    page.SUMMARY: page.summary,
    **{contents.path_of(paper): partial(page.block, paper) for paper in contents.PAPERS},
}


def block(name: str) -> str:
    """Return the text of a marked block, made from its result."""
    if name in PAPER_BLOCKS:
        return PAPER_BLOCKS[name]()
    return BLOCKS[name](json.loads((ROOT / name.partition("#")[0]).read_text()))


def main() -> None:
    """Regenerate all blocks."""
    for path in documents():
        for name in marked_blocks(path):
            replace_between(path, name, block(name))


if __name__ == "__main__":
    main()
