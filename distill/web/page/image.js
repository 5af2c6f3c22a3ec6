// Images: { data, width, height } with four bytes a pixel (RGBA), as ImageData has it.

export const CHANNELS = 4;

export function newImage(width, height, fill = 0) {
  return { data: new Uint8ClampedArray(CHANNELS * width * height).fill(fill), width, height };
}

/** Part of an image: columns from x0 to x1, rows from y0 to y1, ends not included. */
export function cutOut(image, x0, y0, x1, y1) {
  if (x0 === 0 && y0 === 0 && x1 === image.width && y1 === image.height) return image;
  const part = newImage(x1 - x0, y1 - y0);
  for (let y = y0; y < y1; y++) {
    const start = CHANNELS * (y * image.width + x0);
    part.data.set(image.data.subarray(start, start + CHANNELS * part.width), CHANNELS * (y - y0) * part.width);
  }
  return part;
}

/** Input of a network: RGB in [0, 1]. */
export function toInput({ data, width, height }) {
  const input = new Float32Array(3 * width * height);
  for (let from = 0, to = 0; to < input.length; from += CHANNELS, to += 3) {
    input[to] = data[from] / 255;
    input[to + 1] = data[from + 1] / 255;
    input[to + 2] = data[from + 2] / 255;
  }
  return input;
}
