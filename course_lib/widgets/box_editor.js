// Shared by box picker and score-map explorer: a box changed by mouse, touch or keyboard on a canvas that shows a frame.

/** Intersection over union of two boxes [x, y, w, h]; as `geometry.boxes.iou`. */
function iou(a, b) {
  const w = Math.max(0, Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]));
  const h = Math.max(0, Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]));
  return (w * h) / (a[2] * a[3] + b[2] * b[3] - w * h);
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const tenth = (value) => Math.round(value * 10) / 10;

/** The box between two opposite corners, at least one pixel on each side. */
function boxOf([x1, y1], [x2, y2]) {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(1, Math.abs(x2 - x1)), Math.max(1, Math.abs(y2 - y1))];
}

const cornersOf = ([x, y, w, h]) => [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];

/** Where a pointer is, in pixels of the frame of the given size that `canvas` shows. */
function pointIn(canvas, size, event) {
  const page = canvas.getBoundingClientRect();
  const { scale, left, top } = fit(canvas, size);
  const zoom = canvas.width / page.width;
  return [((event.clientX - page.left) * zoom - left) / scale, ((event.clientY - page.top) * zoom - top) / scale];
}

/** One step by an arrow key, as [dx, dy]; null for any other key. A key held down goes faster. */
function stepOf(event) {
  const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  return direction ? direction.map((d) => d * (event.repeat ? 3 : 1)) : null;
}

/** Make `canvas` focusable, with a label that says what its keys do. */
function takesKeys(canvas, role, name) {
  for (const [key, value] of Object.entries({
    tabindex: 0, role: "application", "aria-roledescription": role, "data-lm-suppress-shortcuts": "true",
    "aria-label": name,
  })) canvas.setAttribute(key, value);
}

/**
 * Let `canvas` change a box. Every way to change it ends in `put`: the box stays inside the frame and at least one pixel in size.
 * `size()` is [W, H] of the frame that the canvas shows, `get()` the current box, `set(box)` takes the new one.
 */
function editBox(canvas, { size, get, set }) {
  let drag = null; // what the pointer is doing: { anchor, before } or { grip, before }
  canvas.classList.add("tc-draw");
  canvas.addEventListener("pointerdown", onDown);
  canvas.addEventListener("pointermove", onMove);
  canvas.addEventListener("pointerup", () => (drag = null));
  canvas.addEventListener("pointercancel", undo);
  canvas.addEventListener("keydown", onKey);

  function place(event) {
    const [W, H] = size();
    const [x, y] = pointIn(canvas, [W, H], event);
    return [tenth(clamp(x, 0, W)), tenth(clamp(y, 0, H))];
  }

  function onDown(event) {
    event.preventDefault(); // prevents text selection, but also the focus, which is set by hand
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    const box = get();
    const point = place(event);
    // a finger is wider than a mouse pointer
    const reach = ((event.pointerType === "touch" ? 24 : 9) * canvas.width) / canvas.getBoundingClientRect().width / fit(canvas, size()).scale;
    const corners = cornersOf(box);
    const near = corners.findIndex(([x, y]) => Math.hypot(x - point[0], y - point[1]) <= reach);
    const inside = iou(box, [...point, 1e-6, 1e-6]) > 0;
    if (near >= 0) drag = { anchor: corners[(near + 2) % 4], before: box };
    else if (inside) drag = { grip: [point[0] - box[0], point[1] - box[1]], before: box };
    else drag = { anchor: point, before: box };
  }

  function onMove(event) {
    if (!drag) return;
    const point = place(event);
    if (drag.anchor) put(boxOf(drag.anchor, point));
    else put([point[0] - drag.grip[0], point[1] - drag.grip[1], drag.before[2], drag.before[3]]);
  }

  function undo() {
    if (drag) put(drag.before);
    drag = null;
  }

  function onKey(event) {
    if (event.key === "Escape" && drag) {
      handled(event);
      return undo();
    }
    const step = stepOf(event);
    if (!step) return;
    handled(event);
    const [[dx, dy], [x, y, w, h]] = [step, get()];
    put(event.shiftKey ? [x, y, w + dx, h + dy] : [x + dx, y + dy, w, h]);
  }

  function put([x, y, w, h]) {
    if (![x, y, w, h].every(Number.isFinite)) return set(get());
    const [W, H] = size();
    [w, h] = [clamp(w, 1, W), clamp(h, 1, H)];
    set([clamp(x, 0, W - w), clamp(y, 0, H - h), w, h].map(tenth));
  }

  /** The handles at the corners, in `colour`. */
  function paintCorners(colour) {
    const context = canvas.getContext("2d");
    const { scale, left, top } = fit(canvas, size());
    for (const [x, y] of cornersOf(get())) {
      const place = [left + x * scale - 5, top + y * scale - 5, 10, 10];
      context.fillStyle = "#ffffff";
      context.fillRect(...place);
      context.strokeStyle = colour;
      context.lineWidth = 2;
      context.strokeRect(...place);
    }
  }

  return { put, paintCorners };
}
