// Detector and landmark networks of the page, opened from `settings.json` as `distill demo web` writes it.

import { Detector } from "./detector.js";
import { Landmarker } from "./landmarker.js";
import { fetchBytes, openNet, openResizableNet, startRuntime } from "./runtime.js";

export class Pipeline {
  last = Promise.resolve();

  static async open() {
    const pipeline = new Pipeline();
    pipeline.settings = JSON.parse(new TextDecoder().decode(await fetchBytes("settings.json")));
    const { detector } = pipeline.settings;
    const [bytes] = await Promise.all([fetchBytes(detector.file), startRuntime("litertjs/wasm/")]);
    pipeline.detector = new Detector(openResizableNet(bytes), detector.spec);
    await pipeline.choose(pipeline.settings.models[0].name);
    return pipeline;
  }

  /** Replace the landmark network. */
  choose(name) {
    return this.afterwards(() => this.load(name));
  }

  /** { faces, model, milliseconds: { detector, landmarks } } of a photo; the landmarks' time is that of all faces. */
  run(photo) {
    return this.afterwards(() => this.find(photo));
  }

  /** Run an action after those before it, so that no network is replaced while it runs. */
  afterwards(action) {
    const result = this.last.then(action);
    this.last = result.catch(() => {});
    return result;
  }

  async load(name) {
    const model = this.settings.models.find((entry) => entry.name === name);
    const net = await openNet(await fetchBytes(model.file));
    const former = this.net;
    this.net = net;
    this.model = model;
    this.landmarker = new Landmarker(net, model, this.settings.min_confidence);
    former?.close();
  }

  async find(photo) {
    const { landmarker, model } = this;
    const start = performance.now();
    const detections = await this.detector.detect(photo);
    const detected = performance.now();
    const faces = [];
    for (const face of detections) faces.push({ ...face, ...(await landmarker.place(photo, face.box)) });
    return { faces, model, milliseconds: { detector: detected - start, landmarks: performance.now() - detected } };
  }
}
