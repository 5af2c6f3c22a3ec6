// The page: camera or photo, choice of the model, drawing and the times of the last two seconds.

import { drawFaces } from "./draw.js";
import { Pipeline } from "./pipeline.js";

const WINDOW_MS = 2000; // the times shown are means over this long
const CAMERA = { video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } } };

const element = (id) => document.getElementById(id);
const [video, canvas, message] = ["video", "canvas", "message"].map(element);
const context = canvas.getContext("2d", { willReadFrequently: true });

let pipeline;
let photo = null; // of the photo shown; null while the camera runs
let frames = []; // { at, detector, landmarks, faces } of the last two seconds
let generation = 0; // a new source ends the loop of the former one

/** Find and draw the faces of what the canvas shows; `window.result` is the last result, for scripts of your own. */
async function show(image, mirrored) {
  const own = generation;
  const result = await pipeline.run(image);
  const bitmap = await createImageBitmap(image);
  if (own !== generation) return; // the user has chosen another source meanwhile
  context.setTransform(1, 0, 0, 1, 0, 0);
  if (canvas.width !== image.width || canvas.height !== image.height) {
    canvas.width = image.width;
    canvas.height = image.height;
  }
  if (mirrored) context.setTransform(-1, 0, 0, 1, image.width, 0);
  context.drawImage(bitmap, 0, 0);
  drawFaces(context, result.faces, result.model.edges);
  window.result = { ...result, model: result.model.name, width: image.width, height: image.height };
  report(result);
}

function report({ faces, milliseconds }) {
  const at = performance.now();
  frames = [...frames.filter((frame) => at - frame.at < WINDOW_MS), { at, ...milliseconds }];
  const mean = (name) => frames.reduce((sum, frame) => sum + frame[name], 0) / frames.length;
  element("faces").textContent = faces.length;
  element("detector").textContent = mean("detector").toFixed(1);
  element("landmarks").textContent = mean("landmarks").toFixed(1);
  const seconds = (at - frames[0].at) / 1000;
  element("fps").textContent = photo || frames.length < 2 ? "–" : ((frames.length - 1) / seconds).toFixed(1);
  const unplaced = faces.filter((face) => face.placed === false).length;
  say(unplaced ? `Grey: landmarks not placed, confidence below ${pipeline.settings.min_confidence}.` : "");
}

function say(text, isError = false) {
  message.textContent = text;
  message.classList.toggle("error", isError);
}

async function startCamera() {
  stop();
  const own = generation;
  if (!navigator.mediaDevices) {
    throw new Error("The browser gives the camera to pages of localhost and https alone; open a photo instead.");
  }
  video.srcObject = await navigator.mediaDevices.getUserMedia(CAMERA);
  await video.play();
  element("camera").textContent = "Stop";
  const source = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const pixels = source.getContext("2d", { willReadFrequently: true });
  while (own === generation) {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    if (own !== generation) break;
    pixels.drawImage(video, 0, 0);
    await show(pixels.getImageData(0, 0, source.width, source.height), true);
  }
}

function stop() {
  generation += 1;
  frames = [];
  photo = null;
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  element("camera").textContent = "Camera";
}

async function openPhoto(file) {
  stop();
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const source = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pixels = source.getContext("2d");
  pixels.drawImage(bitmap, 0, 0);
  photo = pixels.getImageData(0, 0, bitmap.width, bitmap.height);
  await show(photo, false);
}

async function chooseModel(name) {
  await pipeline.choose(name);
  frames = [];
  if (photo) await show(photo, false);
}

/** Run an action of the user and show its error. */
function act(action) {
  return (...values) =>
    action(...values).catch((error) => {
      stop();
      say(error.message || error.name, true);
    });
}

function connect() {
  element("camera").addEventListener("click", act(async () => (video.srcObject ? stop() : startCamera())));
  element("photo").addEventListener("change", ({ target }) => {
    if (target.files.length) act(openPhoto)(target.files[0]);
    target.value = ""; // the same file can be chosen again
  });
  element("model").addEventListener("change", act(async ({ target }) => chooseModel(target.value)));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) act(openPhoto)(file);
  });
}

act(async () => {
  say("Loading …");
  pipeline = window.pipeline = await Pipeline.open();
  element("model").append(...pipeline.settings.models.map(({ name, label }) => new Option(label, name)));
  connect();
  document.querySelectorAll("[disabled]").forEach((control) => (control.disabled = false));
  say("Start the camera, or open or drop a photo.");
  document.body.dataset.ready = "true";
})();
