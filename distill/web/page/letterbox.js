// Photo -> input of the detector, as distill/detection/retinaface/letterbox.py: scaled, and filled up to multiples of 32.

import { roundHalfEven } from "./geometry.js";
import { CHANNELS, newImage } from "./image.js";
import { enlarge, shrink } from "./resize.js";

export const MULTIPLE = 32; // sides of the input
const FILL = 114; // grey beside the photo

/** { image, scale } of a photo whose longer side is scaled to `size`, as `resize_to` in distill/images/warp.py. */
export function resizeTo(photo, size) {
  const scale = size / Math.max(photo.width, photo.height);
  const inner = [photo.width, photo.height].map((side) => Math.max(1, roundHalfEven(side * scale)));
  const image = scale === 1 ? photo : scale < 1 ? shrink(photo, ...inner, scale) : enlarge(photo, ...inner);
  return { image, scale };
}

/** Scale the longer side to `size`; what is filled lies at the right and at the bottom. */
export function letterbox(photo, size) {
  const { image: scaled, scale } = resizeTo(photo, size);
  const sides = [scaled.width, scaled.height].map((side) => Math.ceil(side / MULTIPLE) * MULTIPLE);
  const image = newImage(...sides, FILL);
  for (let y = 0; y < scaled.height; y++) {
    const row = scaled.data.subarray(CHANNELS * y * scaled.width, CHANNELS * (y + 1) * scaled.width);
    image.data.set(row, CHANNELS * y * image.width);
  }
  return { image, scale };
}
