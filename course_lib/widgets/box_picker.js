// Box picker. The box is the model's; every way to change it ends in setBox().

/** Intersection over union of two boxes [x, y, w, h]; as `geometry.boxes.iou`. */
function iou(a, b) {
  const w = Math.max(0, Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]));
  const h = Math.max(0, Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]));
  return (w * h) / (a[2] * a[3] + b[2] * b[3] - w * h);
}

/** Distance between the centres of two boxes, in pixels. */
const centreError = (a, b) => Math.hypot(a[0] + a[2] / 2 - b[0] - b[2] / 2, a[1] + a[3] / 2 - b[1] - b[3] / 2);

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const tenth = (value) => Math.round(value * 10) / 10;

/** The box of two opposite corners, at least one pixel on each side. */
function boxOf([x1, y1], [x2, y2]) {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(1, Math.abs(x2 - x1)), Math.max(1, Math.abs(y2 - y1))];
}

const cornersOf = ([x, y, w, h]) => [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];

function render({ model, el }) {
  const store = new FrameStore(model);
  const size = model.get("sizes")[0];
  const [W, H] = size;
  let drag = null; // what the pointer is doing: { anchor, before } or { grip, before }
  let speech = null;

  const canvas = frameCanvas([size], model.get("alt"));
  for (const [key, value] of Object.entries({
    tabindex: 0, role: "application", "aria-roledescription": "box editor", "data-lm-suppress-shortcuts": "true",
    class: "tc-draw",
    "aria-label": `${model.get("alt")} Arrow keys move the box, Shift with arrow keys resizes it.`,
  })) canvas.setAttribute(key, value);
  const fields = ["x", "y", "w", "h"].map((name, k) => control("input", {
    type: "number", step: 1, "aria-label": { x: "x, left edge", y: "y, top edge", w: "width", h: "height" }[name],
    change: () => setFrom(k),
    keydown: (event) => { if (event.key === "Enter") setFrom(k); },
  }));
  const truthBox = control("input", {
    type: "checkbox", change: () => { model.set("show_truth", truthBox.checked); model.save_changes(); },
  });
  const readout = element("p", { class: "tc-readout" });
  const voice = element("p", { class: "tc-hidden", role: "status", "aria-live": "polite" });
  const bar = element("div", { class: "tc-bar" });
  ["x", "y", "w", "h"].forEach((name, k) => bar.append(element("label", {}, `${name} `, fields[k])));
  if (model.get("truth")) bar.append(element("label", {}, truthBox, " show the ground truth"));
  const help = element("p", { class: "tc-help" },
    "Drag to draw, inside the box to move, at a corner to resize. Keyboard: arrow keys move, Shift with arrow keys resizes, Escape undoes a drag.");
  el.append(element("div", { class: "tc-widget", role: "group", "aria-label": "Box picker" }, canvas, readout, bar, help, voice));

  canvas.addEventListener("pointerdown", onDown);
  canvas.addEventListener("pointermove", onMove);
  canvas.addEventListener("pointerup", onUp);
  canvas.addEventListener("pointercancel", undo);
  canvas.addEventListener("keydown", onKey);

  /** Where the pointer is, in frame pixels, inside the frame. */
  function place(event) {
    const page = canvas.getBoundingClientRect();
    const { scale, left, top } = fit(canvas, size);
    const zoom = canvas.width / page.width;
    const x = ((event.clientX - page.left) * zoom - left) / scale;
    const y = ((event.clientY - page.top) * zoom - top) / scale;
    return [tenth(clamp(x, 0, W)), tenth(clamp(y, 0, H))];
  }

  function onDown(event) {
    event.preventDefault(); // no text selection; so the focus is set by hand
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    const box = model.get("box");
    const point = place(event);
    // a finger is wider than a mouse pointer
    const reach = ((event.pointerType === "touch" ? 24 : 9) * W) / canvas.getBoundingClientRect().width;
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
    if (drag.anchor) setBox(boxOf(drag.anchor, point));
    else setBox([point[0] - drag.grip[0], point[1] - drag.grip[1], drag.before[2], drag.before[3]]);
  }

  function onUp() {
    drag = null;
  }

  function undo() {
    if (drag) setBox(drag.before);
    drag = null;
  }

  function onKey(event) {
    if (event.key === "Escape") return undo();
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!direction) return;
    event.preventDefault(); // the page would scroll
    const step = event.repeat ? 3 : 1; // a key held down goes faster
    const [dx, dy] = direction.map((d) => d * step);
    const [x, y, w, h] = model.get("box");
    setBox(event.shiftKey ? [x, y, w + dx, h + dy] : [x + dx, y + dy, w, h]);
  }

  /** A number was typed; an empty field is not a zero. */
  function setFrom(k) {
    setBox(model.get("box").with(k, fields[k].valueAsNumber));
  }

  /** The one way in: keeps the box at least a pixel large and inside the frame, tells the kernel. */
  function setBox([x, y, w, h]) {
    if (![x, y, w, h].every(Number.isFinite)) return draw();
    [w, h] = [clamp(w, 1, W), clamp(h, 1, H)];
    model.set("box", [clamp(x, 0, W - w), clamp(y, 0, H - h), w, h].map(tenth));
    model.save_changes();
    draw(); // also when nothing changed: a field may hold what was just refused
  }

  function describe() {
    const truth = model.get("truth");
    if (!truth) return "no ground truth in this frame";
    const box = model.get("box");
    return `IoU ${figure(iou(box, truth))} · centre error ${figure(centreError(box, truth), 1)} px`;
  }

  async function draw() {
    const box = model.get("box");
    truthBox.checked = model.get("show_truth");
    fields.forEach((field, k) => (field.value = tenth(box[k])));
    readout.textContent = describe();
    clearTimeout(speech); // spoken when the box has come to rest
    speech = setTimeout(() => {
      const [x, y, w, h] = box.map(tenth);
      voice.textContent = `Box x ${x}, y ${y}, width ${w}, height ${h}; ${describe()}`;
    }, 400);
    const bitmap = await store.bitmap(0).catch(() => null);
    if (!bitmap) return;
    paintFrame(canvas, bitmap, size);
    const truth = (model.get("show_truth") && model.get("truth")) || [NaN, NaN, NaN, NaN];
    paintBoxes(canvas, [truth, model.get("box")], size, model.get("styles"));
    paintCorners();
  }

  function paintCorners() {
    const context = canvas.getContext("2d");
    const { scale, left, top } = fit(canvas, size);
    for (const [x, y] of cornersOf(model.get("box"))) {
      const place = [left + x * scale - 5, top + y * scale - 5, 10, 10];
      context.fillStyle = "#ffffff";
      context.fillRect(...place);
      context.strokeStyle = model.get("styles")[1].colour;
      context.lineWidth = 2;
      context.strokeRect(...place);
    }
  }

  const deaf = listen(model, ["box", "show_truth", "truth"], draw);
  draw();
  return () => { deaf(); clearTimeout(speech); };
}

export default { render };
