// Faces of a photo, best first, as distill/detection/retinaface/detector.py and refine.py find them.

import { calibrated, overlap, suppress, tileWindows } from "./boxes.js";
import { decodeMaps } from "./decode.js";
import { applyAffine, invertAffine, similarity } from "./geometry.js";
import { cutOut } from "./image.js";
import { letterbox, MULTIPLE, resizeTo } from "./letterbox.js";
import { warp } from "./warp.js";

const IOU = 0.4;
// Wide or large photos are searched in tiles as well. A photo without a face, or with one larger than `doubtful` pixels of
// the input, is searched once more in a small view, for faces larger than `fills`.
const [WIDE, LARGE, SHARED, INSIDE] = [2, 4, 1 / 3, 0.6];
const [SMALL_VIEW, ENLARGE] = [160, 2];
const LARGE_FACE = { doubtful: 160, fills: 272 };
// The refinement shows the network each face once more, at one size.
const REFINE = { size: 128, zoom: 1.5, smallest: 24, minScore: 0.1, minIou: 0.3 };

/** What the network is shown of a photo: [window, longer side of the input]. */
export function viewsOf(width, height, size) {
  const inputSize = ([left, top, right, bottom]) => {
    const enlarged = Math.trunc(ENLARGE * Math.max(right - left, bottom - top));
    return Math.min(size, Math.ceil(enlarged / MULTIPLE) * MULTIPLE);
  };
  const whole = [0, 0, width, height];
  const [longer, shorter] = [Math.max(width, height), Math.min(width, height)];
  const tiled = longer > WIDE * shorter || longer > LARGE * size;
  const side = Math.max(1, Math.min(shorter, Math.floor(longer / 2)));
  const tiles = tiled ? tileWindows(width, height, side, SHARED) : [];
  return [whole, ...tiles].map((window) => [window, inputSize(window)]);
}

/** The longer side in photo pixels above which faces of the small view are added; null where it is not needed. */
export function secondSearch([[, , width, height], size], faces) {
  const pixels = Math.max(width, height) / size;
  const largest = Math.max(0, ...faces.map(longerSide));
  if (size <= SMALL_VIEW || (faces.length && largest <= LARGE_FACE.doubtful * pixels)) return null;
  return faces.length ? LARGE_FACE.fills * pixels : 0;
}

export class Detector {
  /**
   * @param net async function: image with sides of multiples of 32 -> output maps
   * @param spec the detector's description: anchors, size, min_score, to_box
   */
  constructor(net, spec) {
    this.net = net;
    this.spec = spec;
  }

  /** Faces { box, score, points } in photo pixels. */
  async detect(photo) {
    const views = viewsOf(photo.width, photo.height, this.spec.size);
    // The small view is made of the large one: averaging all pixels of the photo again takes longer.
    const shown = reduced(photo, views[0][1]);
    const parts = [await this.whole(shown, views[0][1])];
    for (const [window, size] of views.slice(1)) parts.push(await this.view(photo, window, size));
    const least = secondSearch(views[0], parts[0]);
    if (least !== null) {
      const again = await this.whole(shown, SMALL_VIEW);
      parts.push(again.filter((face) => longerSide(face) > least));
    }
    const faces = suppress(parts.flat(), IOU, views.length > 1 ? INSIDE : 1);
    const refined = [];
    for (const face of faces) refined.push({ ...face, ...(await this.refine(photo, face.box)) });
    // Once more: the refinement moves several boxes of a large, blurred face onto each other.
    return suppress(refined, IOU, 1).map((face) => ({ ...face, box: calibrated(face, this.spec.to_box) }));
  }

  /** Faces of a whole photo, in its pixels. */
  async whole({ image, scale }, size) {
    const faces = await this.view(image, [0, 0, image.width, image.height], size);
    return moved(faces, ([x, y]) => [(x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5]);
  }

  async view(photo, [left, top, right, bottom], size) {
    const { image, scale } = letterbox(cutOut(photo, left, top, right, bottom), size);
    const faces = decodeMaps(await this.net(image), this.spec.anchors, this.spec.min_score);
    return moved(faces, ([x, y]) => [(x + 0.5) / scale - 0.5 + left, (y + 0.5) / scale - 0.5 + top]);
  }

  /** Box and points averaged over the priors that show this face; empty where there are none or the face is small. */
  async refine(photo, box) {
    const longer = longerSide({ box });
    if (longer < REFINE.smallest) return {};
    const affine = similarity(REFINE.zoom * longer, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, REFINE.size);
    const maps = await this.net(warp(photo, affine, REFINE.size));
    const back = invertAffine(affine);
    const near = moved(decodeMaps(maps, this.spec.anchors, REFINE.minScore), (point) => applyAffine(back, point));
    const same = near.filter((face) => overlap(box, face.box).union > REFINE.minIou);
    if (!same.length) return {};
    const weights = same.map(({ score }) => score / (1 - score + 1e-3));
    const points = same[0].points.map((_, point) => mean(same.map((face) => face.points[point]), weights));
    return { box: mean(same.map((face) => face.box), weights), points };
  }
}

const longerSide = ({ box }) => Math.max(box[2] - box[0], box[3] - box[1]);

/** { image, scale } of a photo with at most `longer` pixels on its longer side. */
function reduced(photo, longer) {
  return Math.max(photo.width, photo.height) > longer ? resizeTo(photo, longer) : { image: photo, scale: 1 };
}

/** Faces with box and points taken to other coordinates. */
function moved(faces, move) {
  return faces.map(({ box, score, points }) => ({
    box: [...move([box[0], box[1]]), ...move([box[2], box[3]])],
    score,
    points: points.map(move),
  }));
}

/** Weighted mean of vectors. */
function mean(vectors, weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return vectors[0].map((_, axis) => vectors.reduce((sum, v, index) => sum + v[axis] * weights[index], 0) / total);
}
