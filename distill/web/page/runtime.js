// Networks in LiteRT.js: image -> outputs, on the CPU (WebAssembly with SIMD).

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

import { toInput } from "./image.js";
import { withInputSize } from "./tflite.js";

/** Load the WebAssembly files; once, before any network. */
export function startRuntime(folder) {
  return loadLiteRt(folder);
}

export async function fetchBytes(address) {
  const reply = await fetch(address);
  if (!reply.ok) throw new Error(`${address}: ${reply.status} ${reply.statusText}`);
  return new Uint8Array(await reply.arrayBuffer());
}

/** A network of a fixed input. */
export async function openNet(bytes) {
  const model = await loadAndCompile(bytes, { accelerator: "wasm" });
  const { shape } = model.getInputDetails()[0];
  const net = (image) => runModel(model, image, shape);
  net.close = () => model.delete();
  return net;
}

/** A fully convolutional network: it is compiled once for each size of image. */
export function openResizableNet(bytes) {
  const nets = new Map();
  return async (image) => {
    const key = `${image.height}x${image.width}`;
    if (!nets.has(key)) nets.set(key, await openNet(withInputSize(bytes, image.height, image.width)));
    return nets.get(key)(image);
  };
}

async function runModel(model, image, shape) {
  const input = new Tensor(toInput(image), shape);
  const outputs = await model.run(input);
  input.delete();
  return outputs.map((output) => {
    const result = { data: output.toTypedArray(), shape: Array.from(output.type.layout.dimensions) };
    output.delete();
    return result;
  });
}
