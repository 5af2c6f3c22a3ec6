// Square crops of a photo, with the numbers of distill/images/warp.py and of cv2.warpAffine.

import { applyAffine, invertAffine, roundHalfEven } from "./geometry.js";
import { CHANNELS, cutOut, newImage } from "./image.js";
import { blockMeans } from "./resize.js";

// OpenCV computes positions in 1/1024 pixel, weights in 1/32, and their products in 1/1024.
const POSITION = 1024;
const PARTS = 32;
const COLOURS = 3;
const SHIFT = 10;
const ROUND = 1 << (SHIFT - 1);

/** Square crop of a photo: bilinear, after averaging blocks of pixels where it shrinks; edge pixels repeat. */
export function warp(photo, affine, size) {
  const zoom = Math.sqrt(Math.abs(affine[0] * affine[4] - affine[1] * affine[3]));
  const block = Math.max(1, Math.trunc(1 / zoom));
  const [x0, y0, x1, y1] = needed(photo, affine, size, 2 * block);
  let part = cutOut(photo, x0, y0, x1, y1);
  if (block > 1) part = blockMeans(part, block);
  // The centre of cell j of `part` is photo pixel x0 + (j + 0.5) * block - 0.5.
  const [a, b, , d, e] = affine;
  const [shiftX, shiftY] = applyAffine(affine, [x0 + (block - 1) / 2, y0 + (block - 1) / 2]);
  return bilinear(part, invertAffine([a * block, b * block, shiftX, d * block, e * block, shiftY]), size);
}

function needed(photo, affine, size, margin) {
  const back = invertAffine(affine);
  const ends = [-0.5, size - 0.5];
  const corners = ends.flatMap((x) => ends.map((y) => applyAffine(back, [x, y])));
  const limits = [photo.width, photo.height].map((side, axis) => {
    const values = corners.map((corner) => corner[axis]);
    const first = Math.min(Math.max(Math.floor(Math.min(...values)) - margin, 0), side - 1);
    return [first, Math.min(Math.max(Math.ceil(Math.max(...values)) + margin + 1, first + 1), side)];
  });
  return [limits[0][0], limits[1][0], limits[0][1], limits[1][1]];
}

/** Sample an image at the positions that `back` (target -> source) gives, in the fixed-point numbers of OpenCV. */
function bilinear({ data, width, height }, back, size) {
  const result = newImage(size, size, 255);
  const stepsX = Int32Array.from({ length: size }, (_, x) => roundHalfEven(back[0] * x * POSITION));
  const stepsY = Int32Array.from({ length: size }, (_, x) => roundHalfEven(back[3] * x * POSITION));
  const half = POSITION / PARTS / 2;
  for (let y = 0, to = 0; y < size; y++) {
    const startX = roundHalfEven((back[1] * y + back[2]) * POSITION) + half;
    const startY = roundHalfEven((back[4] * y + back[5]) * POSITION) + half;
    for (let x = 0; x < size; x++, to += CHANNELS) {
      const atX = Math.floor(((startX + stepsX[x]) * PARTS) / POSITION);
      const atY = Math.floor(((startY + stepsY[x]) * PARTS) / POSITION);
      const column = Math.floor(atX / PARTS);
      const row = Math.floor(atY / PARTS);
      const right = atX - PARTS * column;
      const below = atY - PARTS * row;
      const upper = inside(row, height) * width;
      const lower = inside(row + 1, height) * width;
      const left = inside(column, width);
      const next = inside(column + 1, width);
      for (let colour = 0; colour < COLOURS; colour++) {
        const above = mixed(data, upper + left, upper + next, right, colour);
        const under = mixed(data, lower + left, lower + next, right, colour);
        result.data[to + colour] = ((PARTS - below) * above + below * under + ROUND) >> SHIFT;
      }
    }
  }
  return result;
}

/** Mean of a colour of two pixels, times 32. */
function mixed(data, left, right, part, colour) {
  return (PARTS - part) * data[CHANNELS * left + colour] + part * data[CHANNELS * right + colour];
}

function inside(index, length) {
  return index < 0 ? 0 : index >= length ? length - 1 : index;
}
