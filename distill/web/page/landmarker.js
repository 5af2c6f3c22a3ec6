// Landmarks of a face: crop, network, and the points back in the photo, as distill/inference/landmarker.py.

import { applyAffine, cropAffine, invertAffine } from "./geometry.js";
import { turnedCrop } from "./roll.js";
import { warp } from "./warp.js";

export class Landmarker {
  /**
   * @param net async function: crop -> outputs { data, shape }, the points [1, k, 2] and, of some, confidence [1, k]
   * @param spec crop { size, scale, shift_y } of a detector's box, and roll, how tilted faces are cut out again
   *   { eyes, max_roll, more_crops, tight }; without it they are not
   * @param minConfidence mean confidence from which a face counts as placed
   */
  constructor(net, spec, minConfidence) {
    this.net = net;
    this.spec = spec;
    this.minConfidence = minConfidence;
  }

  /** { box, cropRoll, landmarks, confidence, placed } of the face in a box; the last two may be null. */
  async place(photo, box) {
    const { roll } = this.spec;
    let face = await this.placeInCrop(photo, { box, roll: 0 });
    for (let crops = 0; roll && crops < roll.more_crops; crops++) {
      const turned = turnedCrop(face, roll);
      if (!turned) break;
      face = await this.placeInCrop(photo, turned);
    }
    return face;
  }

  async placeInCrop(photo, { box, roll }) {
    const { size } = this.spec.crop;
    const affine = cropAffine(box, this.spec.crop, roll);
    const outputs = await this.net(warp(photo, affine, size));
    const back = invertAffine(affine);
    const points = outputs.find(({ shape }) => shape.length === 3);
    const certainty = outputs.find(({ shape }) => shape.length === 2);
    const landmarks = Array.from({ length: points.shape[1] }, (_, index) => {
      const normalised = points.data.subarray(2 * index, 2 * index + 2);
      return applyAffine(back, [normalised[0] * size - 0.5, normalised[1] * size - 0.5]);
    });
    const confidence = certainty ? certainty.data.reduce((sum, value) => sum + value, 0) / certainty.data.length : null;
    const placed = certainty ? confidence >= this.minConfidence : null;
    return { box, cropRoll: roll, landmarks, confidence, placed };
  }
}
