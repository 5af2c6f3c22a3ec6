// Boxes [x0, y0, x1, y1]: overlap, suppression, tiles and calibration, as in distill/detection.

import { roundHalfEven } from "./geometry.js";

/** Intersection of two boxes over their union and over the smaller area. */
export function overlap(one, other) {
  const side = (axis) => Math.max(0, Math.min(one[axis + 2], other[axis + 2]) - Math.max(one[axis], other[axis]));
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  const shared = side(0) * side(1);
  const [first, second] = [area(one), area(other)];
  return {
    union: shared / Math.max(first + second - shared, Number.MIN_VALUE),
    smaller: shared / Math.max(Math.min(first, second), Number.MIN_VALUE),
  };
}

/** Non-maximum suppression: the best face of each group, best first. */
export function suppress(faces, iou, inside) {
  let left = [...faces].sort((one, other) => other.score - one.score);
  const kept = [];
  while (left.length) {
    const [best, ...rest] = left;
    kept.push(best);
    left = rest.filter((face) => {
      const { union, smaller } = overlap(best.box, face.box);
      return union <= iou && smaller <= inside;
    });
  }
  return kept;
}

/** Square tiles of a photo; neighbours share at least this part of a tile. */
export function tileWindows(width, height, side, shared) {
  return centres(height, side, shared).flatMap((y) =>
    centres(width, side, shared).map((x) => {
      const [left, top] = [x, y].map((at) => Math.max(0, roundHalfEven(at + 0.5 - side / 2)));
      return [left, top, Math.min(width, left + side), Math.min(height, top + side)];
    }),
  );
}

function centres(length, side, shared) {
  if (length <= side) return [(length - 1) / 2];
  const count = Math.ceil((length - side) / ((1 - shared) * side)) + 1;
  const step = (length - side) / (count - 1);
  return Array.from({ length: count }, (_, index) => side / 2 + index * step - 0.5);
}

/** Tight box of the 68 points from the detector's own box and its five points; `table` is 12 x 4. */
export function calibrated({ box, points }, table) {
  const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  const side = (box[2] - box[0] + box[3] - box[1]) / 2;
  const features = [1, (box[2] - box[0]) / side, ...points.flatMap((at) => [(at[0] - x) / side, (at[1] - y) / side])];
  const [width, height, right, down] = [0, 1, 2, 3].map((column) =>
    features.reduce((sum, feature, row) => sum + feature * table[row][column] * side, 0),
  );
  return [x + right - width / 2, y + down - height / 2, x + right + width / 2, y + down + height / 2];
}
