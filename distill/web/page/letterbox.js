// Photo -> input of the detector, as distill/detection/retinaface/letterbox.py: scaled, and filled up to multiples of 32.

import { roundHalfEven } from "./geometry.js";
import { CHANNELS, newImage } from "./image.js";
import { enlarge, shrink } from "./resize.js";

export const MULTIPLE = 32; // sides of the input
const FILL = 114; // grey beside the photo

/** Scale the longer side to `size`; what is filled lies at the right and at the bottom. */
export function letterbox(photo, size) {
  const scale = size / Math.max(photo.width, photo.height);
  const inner = [photo.width, photo.height].map((side) => Math.max(1, roundHalfEven(side * scale)));
  const scaled = scale === 1 ? photo : scale < 1 ? shrink(photo, ...inner, scale) : enlarge(photo, ...inner);
  const image = newImage(...inner.map((side) => Math.ceil(side / MULTIPLE) * MULTIPLE), FILL);
  for (let y = 0; y < scaled.height; y++) {
    const row = scaled.data.subarray(CHANNELS * y * scaled.width, CHANNELS * (y + 1) * scaled.width);
    image.data.set(row, CHANNELS * y * image.width);
  }
  return { image, scale };
}
