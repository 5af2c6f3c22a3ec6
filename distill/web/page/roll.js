// Tilted faces: where to cut them out again, turned upright, as in distill/inference/roll.py.

import { angleBetween, rollOfPoints, turnedBoxOfPoints } from "./geometry.js";

const LARGEST_CHANGE = 3;

/**
 * { box, roll } of the next crop of a face; null where it is upright in its crop.
 * @param face box, cropRoll and landmarks
 * @param settings eyes, max_roll and tight, of the model
 */
export function turnedCrop({ box, cropRoll, landmarks }, settings) {
  const roll = rollOfPoints(landmarks, settings.eyes);
  if (!(angleBetween(roll, cropRoll) > settings.max_roll)) return null;
  const tight = turnedBoxOfPoints(landmarks, roll);
  return { box: settings.tight && isOfSize(tight, box) ? tight : box, roll };
}

function isOfSize(box, other) {
  const [sides, others] = [box, other].map(([x0, y0, x1, y1]) => [x1 - x0, y1 - y0]);
  const side = Math.max(...others);
  return side / LARGEST_CHANGE < Math.min(...sides) && Math.max(...sides) < side * LARGEST_CHANGE;
}
