// Faces drawn on a canvas in the style of distill/inference/overlay.py.

import { radians } from "./geometry.js";

// Okabe and Ito's colours, which colour-blind readers can tell apart; one for each face in turn.
const COLOURS = ["#009e73", "#0072b2", "#d55e00", "#cc79a7", "#e69f00", "#56b4e9"];
const GREY = "#808080";

/**
 * @param faces { box, cropRoll, score, landmarks, placed } in photo pixels
 * @param edges curves of the landmark scheme: { points, closed }
 */
export function drawFaces(context, faces, edges) {
  faces.forEach((face, index) => drawFace(context, face, edges, COLOURS[index % COLOURS.length]));
}

function drawFace(context, { box, cropRoll = 0, score, landmarks, placed }, edges, colour) {
  const [x0, y0, x1, y1] = box;
  const side = Math.max(x1 - x0, y1 - y0);
  const uncertain = placed === false;
  context.save();
  context.translate(0.5, 0.5); // pixel centres are integers here, and halves on a canvas
  context.strokeStyle = context.fillStyle = uncertain ? GREY : colour;
  context.lineWidth = Math.max(1, side / 150);
  if (!uncertain) edges.forEach((edge) => drawCurve(context, landmarks, edge));
  landmarks.forEach((point) => drawPoint(context, point, Math.max(1, side / 110), uncertain));
  context.setLineDash(uncertain ? [side / 16, side / 16] : []);
  drawBox(context, box, cropRoll);
  drawLabel(context, `${score.toFixed(2)}${uncertain ? " not placed" : ""}`, x0, y0 - 2 * context.lineWidth, side / 12);
  context.restore();
}

function drawBox(context, [x0, y0, x1, y1], roll) {
  context.save();
  context.translate((x0 + x1) / 2, (y0 + y1) / 2);
  context.rotate(radians(roll));
  context.strokeRect((x0 - x1) / 2, (y0 - y1) / 2, x1 - x0, y1 - y0);
  context.restore();
}

function drawCurve(context, landmarks, { points, closed }) {
  context.beginPath();
  points.forEach((index) => context.lineTo(...landmarks[index]));
  if (closed) context.closePath();
  context.stroke();
}

function drawPoint(context, [x, y], radius, ring) {
  const { fillStyle } = context;
  const circle = (size) => {
    context.beginPath();
    context.arc(x, y, size, 0, 2 * Math.PI);
  };
  circle(radius);
  if (ring) {
    context.stroke();
    return;
  }
  context.fillStyle = "#fff";
  context.fill();
  context.fillStyle = fillStyle;
  circle(0.7 * radius);
  context.fill();
}

/** Text that stays readable when the picture is mirrored. */
function drawLabel(context, text, x, y, size) {
  context.font = `${Math.max(12, size)}px system-ui, sans-serif`;
  const mirrored = context.getTransform().a < 0;
  const base = Math.max(y, Math.max(12, size));
  if (mirrored) {
    context.translate(2 * x, 0);
    context.scale(-1, 1);
    context.textAlign = "right";
  }
  context.fillText(text, x, base);
}
