// Pixel convention and affine transforms, as in distill/geometry.py.
// Pixel centres are integers; a 2x3 affine is the array [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f.

/** Affine from a square of the photo (side, centre) to a crop of `size` pixels. */
export function similarity(side, x, y, size) {
  const zoom = size / side;
  const middle = (size - 1) / 2;
  return [zoom, 0, middle - zoom * x, 0, zoom, middle - zoom * y];
}

/** Affine of the crop of a face box [x0, y0, x1, y1]; `crop` has size, scale and shift_y. */
export function cropAffine([x0, y0, x1, y1], crop) {
  const longer = Math.max(x1 - x0, y1 - y0);
  return similarity(longer * crop.scale, (x0 + x1) / 2, (y0 + y1) / 2 + crop.shift_y * longer, crop.size);
}

export function applyAffine([a, b, c, d, e, f], [x, y]) {
  return [a * x + b * y + c, d * x + e * y + f];
}

export function invertAffine([a, b, c, d, e, f]) {
  const scale = 1 / (a * e - b * d);
  const [ia, ib, id, ie] = [e * scale, -b * scale, -d * scale, a * scale];
  return [ia, ib, -(ia * c + ib * f), id, ie, -(id * c + ie * f)];
}

/** Nearest integer, halves to the even one, as Python's `round`. */
export function roundHalfEven(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
