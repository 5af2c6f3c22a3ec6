// Decode the output maps of RetinaFace to boxes, scores and five points, as distill/detection/retinaface/decode_maps.py.

// SSD's variances, and the limit of the logarithm of a side in prior boxes.
const CENTRE_VARIANCE = 0.1;
const SIZE_VARIANCE = 0.2;
const LARGEST_LOG_RATIO = 6;
const POINTS = 5;

/**
 * Faces of at least `minScore`, in pixels of the input.
 * @param maps outputs { data, shape: [1, rows, columns, channels] } in any order
 * @param anchors { strides, sizes } of the prior boxes
 */
export function decodeMaps(maps, anchors, minScore) {
  const perCell = anchors.sizes[0].length;
  const [scores, offsets, moves] = [1, 4, 2 * POINTS].map((values) => byStride(maps, perCell * values));
  const floor = Math.log(Math.max(minScore, 1e-30)) - Math.log(Math.max(1 - minScore, 1e-30));
  const faces = [];
  anchors.strides.forEach((stride, level) => {
    const [, rows, columns] = scores[level].shape;
    const logits = scores[level].data;
    for (let index = 0; index < rows * columns * perCell; index++) {
      if (logits[index] < floor) continue;
      const cell = Math.floor(index / perCell);
      const prior = {
        x: ((cell % columns) + 0.5) * stride - 0.5,
        y: (Math.floor(cell / columns) + 0.5) * stride - 0.5,
        side: anchors.sizes[level][index % perCell],
      };
      faces.push(decodePrior(prior, logits[index], offsets[level].data, moves[level].data, index));
    }
  });
  return faces;
}

/** Maps with this number of channels, the finest first. */
function byStride(maps, channels) {
  const found = maps.filter((map) => map.shape[3] === channels);
  return found.sort((one, other) => other.data.length - one.data.length);
}

function decodePrior({ x, y, side }, logit, offsets, moves, index) {
  const [moveX, moveY, logWidth, logHeight] = offsets.subarray(4 * index, 4 * index + 4);
  const [middleX, middleY] = [x + moveX * CENTRE_VARIANCE * side, y + moveY * CENTRE_VARIANCE * side];
  const half = (log) => (side * Math.exp(Math.min(log * SIZE_VARIANCE, LARGEST_LOG_RATIO))) / 2;
  const [halfWidth, halfHeight] = [half(logWidth), half(logHeight)];
  const points = Array.from({ length: POINTS }, (_, point) => {
    const at = 2 * (POINTS * index + point);
    return [x + moves[at] * CENTRE_VARIANCE * side, y + moves[at + 1] * CENTRE_VARIANCE * side];
  });
  return {
    box: [middleX - halfWidth, middleY - halfHeight, middleX + halfWidth, middleY + halfHeight],
    score: 1 / (1 + Math.exp(-logit)),
    points,
  };
}
