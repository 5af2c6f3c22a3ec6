// Pixel convention and affine transforms, as in distill/geometry.py.
// Pixel centres are integers; a 2x3 affine is the array [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f.

/** Affine from a square of the photo (side, centre), turned clockwise by `roll` degrees, to a crop of `size` pixels. */
export function similarity(side, x, y, size, roll = 0) {
  const zoom = size / side;
  const middle = (size - 1) / 2;
  const [cos, sin] = [zoom * Math.cos(radians(roll)), zoom * Math.sin(radians(roll))];
  return [cos, sin, middle - (cos * x + sin * y), -sin, cos, middle - (cos * y - sin * x)];
}

/** Affine of the crop of a face box [x0, y0, x1, y1] turned by `roll`; `crop` has size, scale and shift_y. */
export function cropAffine([x0, y0, x1, y1], crop, roll = 0) {
  const longer = Math.max(x1 - x0, y1 - y0);
  const below = crop.shift_y * longer;
  const x = (x0 + x1) / 2 - Math.sin(radians(roll)) * below;
  const y = (y0 + y1) / 2 + Math.cos(radians(roll)) * below;
  return similarity(longer * crop.scale, x, y, crop.size, roll);
}

/** Box that is tight around points when it is turned around its centre by `roll` degrees. */
export function turnedBoxOfPoints(points, roll) {
  const upright = similarity(1, 0, 0, 1, roll);
  const turned = points.map((point) => applyAffine(upright, point));
  const [[x0, x1], [y0, y1]] = [0, 1].map((axis) => {
    const values = turned.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)];
  });
  const [x, y] = applyAffine(invertAffine(upright), [(x0 + x1) / 2, (y0 + y1) / 2]);
  const [halfWidth, halfHeight] = [(x1 - x0) / 2, (y1 - y0) / 2];
  return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
}

/** Degrees by which a face is tilted clockwise; `eyes` are the points whose means are the subject's right and left. */
export function rollOfPoints(points, eyes) {
  const [right, left] = eyes.map((eye) =>
    [0, 1].map((axis) => eye.reduce((sum, index) => sum + points[index][axis], 0) / eye.length),
  );
  return (Math.atan2(left[1] - right[1], left[0] - right[0]) * 180) / Math.PI;
}

/** Angle in [0, 180] degrees between two directions. */
export function angleBetween(degrees, other) {
  return Math.abs(((((degrees - other + 180) % 360) + 360) % 360) - 180);
}

export function radians(degrees) {
  return (degrees * Math.PI) / 180;
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
