// Scaling with the numbers of cv2.resize, so that the detector finds the same boxes as in Python.

import { roundHalfEven } from "./geometry.js";
import { CHANNELS, newImage } from "./image.js";

const COLOURS = 3;
const ONE = 2048; // weights of the bilinear enlargement are integers of 11 bits

/** Area average (INTER_AREA): every target pixel is the mean of the part of the source that it covers. */
export function shrink(image, width, height) {
  if (image.width % width === 0 && image.height % height === 0) {
    return blockMeans(image, image.width / width, image.height / height);
  }
  const columns = areaTable(image.width, width);
  const rows = areaTable(image.height, height);
  const result = newImage(width, height, 255);
  const line = new Float32Array(COLOURS * width);
  const sums = new Float32Array(COLOURS * width);
  rows.targets.forEach((y, step) => {
    averageLine(line, image, rows.sources[step], columns);
    for (let at = 0; at < sums.length; at++) sums[at] += Math.fround(rows.weights[step] * line[at]);
    if (rows.targets[step + 1] === y) return;
    writeLine(result, y, sums);
    sums.fill(0);
  });
  return result;
}

/** Means of blocks of whole pixels; blocks at the far edge are filled up with the edge. */
export function blockMeans(image, across, down) {
  const result = newImage(Math.ceil(image.width / across), Math.ceil(image.height / down), 255);
  const sums = new Float64Array(COLOURS * result.width);
  // OpenCV rounds the mean of two by two pixels up, and every other mean to the even value.
  const rounding = across === 2 && down === 2 ? 1e-6 : 0;
  for (let y = 0; y < result.height; y++) {
    sums.fill(0);
    for (let step = 0; step < down; step++) {
      const row = Math.min(y * down + step, image.height - 1) * image.width;
      for (let x = 0, to = 0; x < result.width; x++, to += COLOURS) {
        for (let column = x * across; column < (x + 1) * across; column++) {
          const from = CHANNELS * (row + Math.min(column, image.width - 1));
          sums[to] += image.data[from];
          sums[to + 1] += image.data[from + 1];
          sums[to + 2] += image.data[from + 2];
        }
      }
    }
    for (let at = 0; at < sums.length; at++) sums[at] = sums[at] / (across * down) + rounding;
    writeLine(result, y, sums);
  }
  return result;
}

/** Pairs of source and target cells that overlap along one axis, and the share of the target, as float32. */
function areaTable(source, target) {
  const scale = source / target;
  const tiny = 1e-3;
  const [sources, targets, weights] = [[], [], []];
  const add = (cell, index, weight) => [sources.push(cell), targets.push(index), weights.push(weight)];
  for (let index = 0; index < target; index++) {
    const [start, end] = [index * scale, index * scale + scale];
    const covered = Math.min(scale, source - start);
    const last = Math.min(Math.floor(end), source - 1);
    const first = Math.min(Math.ceil(start), last);
    if (first - start > tiny) add(first - 1, index, (first - start) / covered);
    for (let cell = first; cell < last; cell++) add(cell, index, 1 / covered);
    if (end - last > tiny) add(last, index, Math.min(end - last, 1, covered) / covered);
  }
  return { sources: Int32Array.from(sources), targets: Int32Array.from(targets), weights: Float32Array.from(weights) };
}

/** Average a row of the image along x; sums are rounded to float32 when they are stored, as in OpenCV. */
function averageLine(line, { data, width }, row, { sources, targets, weights }) {
  line.fill(0);
  for (let step = 0; step < weights.length; step++) {
    const weight = weights[step];
    const from = CHANNELS * (row * width + sources[step]);
    const to = COLOURS * targets[step];
    line[to] += Math.fround(weight * data[from]);
    line[to + 1] += Math.fround(weight * data[from + 1]);
    line[to + 2] += Math.fround(weight * data[from + 2]);
  }
}

/** Write a row of means; Uint8ClampedArray rounds to the even value, as OpenCV does. */
function writeLine(image, y, means) {
  for (let from = 0, to = CHANNELS * y * image.width; from < means.length; from += COLOURS, to += CHANNELS) {
    image.data[to] = means[from];
    image.data[to + 1] = means[from + 1];
    image.data[to + 2] = means[from + 2];
  }
}

/** Bilinear enlargement (INTER_LINEAR). */
export function enlarge(image, width, height) {
  const [columns, rows] = [linearTable(image.width, width, true), linearTable(image.height, height, false)];
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
function linearTable(source, target, alongRow) {
  const scale = source / target;
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
