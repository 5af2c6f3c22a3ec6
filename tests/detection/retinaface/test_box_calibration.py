"""Calibration of boxes: recovers a known relation, is symmetric, and independent of the unit."""

import numpy as np

from distill.detection.retinaface.box_calibration import N_FEATURES, calibrated, features, fit_table


def faces(count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Own boxes, five points that say how far a head is turned, and tight boxes that depend on both."""
    rng = np.random.default_rng(0)
    centre, side = rng.uniform(50, 200, (count, 2)), rng.uniform(20, 90, (count, 1))
    yaw = rng.uniform(-0.1, 0.1, (count, 1))
    boxes = np.concatenate([centre - side / 2, centre + side / 2], axis=1)
    mean = np.array([[-0.2, -0.1], [0.2, -0.1], [0, 0.1], [-0.15, 0.3], [0.15, 0.3]])
    points = centre[:, None] + (mean + np.stack([yaw, 0 * yaw], axis=-1)) * side[:, None]
    tight_centre = centre + np.concatenate([0.5 * yaw, 0.1 + 0 * yaw], axis=1) * side
    tight = np.concatenate([tight_centre - 0.4 * side, tight_centre + 0.4 * side], axis=1)
    return boxes, points, tight


def test_a_linear_relation_is_found() -> None:
    boxes, points, tight = faces()
    table = fit_table(boxes, points, tight, ridge=1e-9)
    assert table.shape == (N_FEATURES, 4)
    np.testing.assert_allclose(calibrated(boxes, points, table), tight, atol=0.05)


def test_mirrored_and_scaled_faces_get_mirrored_and_scaled_boxes() -> None:
    boxes, points, tight = faces()
    table = fit_table(boxes[:20], points[:20], tight[:20])
    found = calibrated(boxes, points, table)
    mirrored = boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1]
    turned = points[:, [1, 0, 2, 4, 3]] * [-1, 1]
    np.testing.assert_allclose(calibrated(mirrored, turned, table), found[:, [2, 1, 0, 3]] * [-1, 1, -1, 1], atol=1e-6)
    np.testing.assert_allclose(calibrated(3 * boxes, 3 * points, table), 3 * found, rtol=1e-9)


def test_features_of_no_face() -> None:
    assert features(np.zeros((0, 4)), np.zeros((0, 5, 2))).shape == (0, N_FEATURES)
