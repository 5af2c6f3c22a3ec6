// Scaling with the numbers of cv2.resize, so that the detector finds the same boxes as in Python.

import { roundHalfEven } from "./geometry.js";
import { CHANNELS, cutOut, newImage } from "./image.js";

const COLOURS = 3;
const ONE = 2048; // bilinear weights are integers of 11 bits

/** Bilinear by `scale` below 1, after averaging blocks of pixels, as `resize_to` in distill/images/warp.py. */
export function shrink(image, width, height, scale) {
  const block = Math.trunc(1 / scale);
  const rest = scale * block;
  const part = block > 1 ? blockMeans(image, block) : image;
  return rest < 1 ? bilinear(part, width, height, 1 / rest, 1 / rest) : cutOut(part, 0, 0, width, height);
}

/** Means of blocks of whole pixels; blocks at the far edge are filled up with the edge. */
export function blockMeans(image, block) {
  const result = newImage(Math.ceil(image.width / block), Math.ceil(image.height / block), 255);
  const sums = new Float64Array(COLOURS * result.width);
  // OpenCV rounds the mean of two by two pixels up, and every other mean to the even value.
  const rounding = block === 2 ? 1e-6 : 0;
  for (let y = 0; y < result.height; y++) {
    sums.fill(0);
    for (let step = 0; step < block; step++) {
      const row = Math.min(y * block + step, image.height - 1) * image.width;
      for (let x = 0, to = 0; x < result.width; x++, to += COLOURS) {
        for (let column = x * block; column < (x + 1) * block; column++) {
          const from = CHANNELS * (row + Math.min(column, image.width - 1));
          sums[to] += image.data[from];
          sums[to + 1] += image.data[from + 1];
          sums[to + 2] += image.data[from + 2];
        }
      }
    }
    for (let at = 0; at < sums.length; at++) sums[at] = sums[at] / (block * block) + rounding;
    writeLine(result, y, sums);
  }
  return result;
}

/** Write a row of means; Uint8ClampedArray rounds to the even value, as OpenCV does. */
function writeLine(image, y, means) {
  for (let from = 0, to = CHANNELS * y * image.width; from < means.length; from += COLOURS, to += CHANNELS) {
    image.data[to] = means[from];
    image.data[to + 1] = means[from + 1];
    image.data[to + 2] = means[from + 2];
  }
}

/** Bilinear enlargement to a size. */
export function enlarge(image, width, height) {
  return bilinear(image, width, height, image.width / width, image.height / height);
}

/** Bilinear interpolation (INTER_LINEAR) with the source cells that a target cell takes along x and y. */
function bilinear(image, width, height, across, down) {
  const [columns, rows] = [linearTable(image.width, width, across, true), linearTable(image.height, height, down, false)];
  const result = newImage(width, height, 255);
  const { data } = image;
  rows.forEach((row, y) => {
    const [upper, lower] = [row.first, row.next].map((index) => CHANNELS * index * image.width);
    columns.forEach((column, x) => {
      const [left, right] = [CHANNELS * column.first, CHANNELS * column.next];
      for (let colour = 0; colour < COLOURS; colour++) {
        const above = column.weight * data[upper + left + colour] + column.rest * data[upper + right + colour];
        const below = column.weight * data[lower + left + colour] + column.rest * data[lower + right + colour];
        const sum = ((row.weight * (above >> 4)) >> 16) + ((row.rest * (below >> 4)) >> 16);
        result.data[CHANNELS * (y * width + x) + colour] = (sum + 2) >> 2;
      }
    });
  });
  return result;
}

/** Two source cells and their weights for each target cell along one axis; OpenCV has no weights at the ends of rows. */
function linearTable(source, target, scale, alongRow) {
  return Array.from({ length: target }, (_, index) => {
    const at = Math.fround((index + 0.5) * scale - 0.5);
    const cell = Math.floor(at);
    const outside = cell < 0 || cell >= source - 1;
    const part = alongRow && outside ? 0 : Math.fround(at - cell);
    return {
      first: Math.min(Math.max(cell, 0), source - 1),
      next: Math.min(Math.max(cell + 1, 0), source - 1),
      weight: roundHalfEven(Math.fround(1 - part) * ONE),
      rest: roundHalfEven(part * ONE),
    };
  });
}
