// Shared by the course's widgets: frames that arrive once as JPEG bytes, boxes drawn over them, small HTML helpers.

const REACH = 24; // decoded frames kept, so that stepping back and forth is instant

/** Bytes of a traitlet, which arrives as a DataView. */
const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** Float32 numbers of a bytes traitlet; copied, because the view need not start at a multiple of four. */
const floatsOf = (view) => new Float32Array(bytesOf(view).slice().buffer);

/** Decodes frames on demand and keeps the latest few. It needs only the model, so every view has its own. */
class FrameStore {
  constructor(model) {
    this.model = model;
    this.cache = new Map(); // frame number → promise of a bitmap, oldest first
  }

  get length() {
    return this.model.get("sizes").length;
  }

  bitmap(i) {
    const known = this.cache.get(i);
    this.cache.delete(i);
    this.cache.set(i, known ?? this.decode(i));
    if (this.cache.size > REACH) this.cache.delete(this.cache.keys().next().value);
    return this.cache.get(i);
  }

  decode(i) {
    const [start, stop] = this.model.get("offsets").slice(i, i + 2);
    const jpeg = bytesOf(this.model.get("jpegs")).slice(start, stop);
    return createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  }
}

/** A canvas for frames of the given sizes: the largest of them fits, within most = [width, height] pixels. */
function frameCanvas(sizes, name, most = [720, 460]) {
  const W = Math.max(...sizes.map((size) => size[0]));
  const H = Math.max(...sizes.map((size) => size[1]));
  const scale = Math.min(most[0] / W, most[1] / H);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(W * scale));
  canvas.height = Math.max(1, Math.round(H * scale));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", name);
  return canvas;
}

/** How frame pixels map to the canvas: the whole frame, centred, undistorted. */
function fit(canvas, [W, H]) {
  const scale = Math.min(canvas.width / W, canvas.height / H);
  return { scale, left: (canvas.width - W * scale) / 2, top: (canvas.height - H * scale) / 2 };
}

function paintFrame(canvas, bitmap, size) {
  const context = canvas.getContext("2d");
  const { scale, left, top } = fit(canvas, size);
  context.fillStyle = "#808080";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, left, top, size[0] * scale, size[1] * scale);
}

/** Black or white, whichever reads better on a colour "#rrggbb" (relative luminance of WCAG). */
function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = parseInt(colour.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}

/** Draw boxes [x, y, w, h] in frame pixels, each in its style; labels last, so that no line strikes through them. */
function paintBoxes(canvas, boxes, size, styles) {
  const context = canvas.getContext("2d");
  const shown = paintOutlines(canvas, boxes, size, styles);
  for (const { place, label, colour, slot } of shown) paintLabel(context, label, place, colour, slot);
}

/** The same boxes without labels; returns those that are drawn, with their places on the canvas. */
function paintOutlines(canvas, boxes, size, styles) {
  const { scale, left, top } = fit(canvas, size);
  const context = canvas.getContext("2d");
  const shown = boxes
    .map(([x, y, w, h], slot) => ({ place: [left + x * scale, top + y * scale, w * scale, h * scale], ...styles[slot], slot }))
    .filter(({ place }) => place.every(Number.isFinite)); // an absent box is NaN
  for (const { place, colour, dash } of shown) {
    // a pale line underneath keeps every colour visible on dark and on busy images
    for (const [stroke, width, pattern] of [["rgba(255, 255, 255, 0.75)", 5, []], [colour, 3, dash]]) {
      context.strokeStyle = stroke;
      context.lineWidth = width;
      context.setLineDash(pattern);
      context.strokeRect(...place);
    }
  }
  context.setLineDash([]);
  return shown;
}

/** Labels of overlapping boxes take different corners: above or below, left or right. */
function paintLabel(context, label, [x, y, w, h], colour, slot) {
  context.font = "600 13px system-ui, sans-serif";
  const width = context.measureText(label).width + 8;
  const wanted = [slot % 4 < 2 ? x - 1.5 : x + w + 1.5 - width, slot % 2 === 0 ? y - 19 : y + h + 2];
  const left = Math.max(0, Math.min(wanted[0], context.canvas.width - width));
  const top = Math.max(0, Math.min(wanted[1], context.canvas.height - 18));
  context.fillStyle = colour;
  context.fillRect(left, top, width, 18);
  context.fillStyle = inkOn(colour);
  context.textBaseline = "middle";
  context.fillText(label, left + 4, top + 9.5);
}

/** A short line in the colour and dashes of a box, for the legend. */
function sample({ colour, dash }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "tc-sample");
  svg.setAttribute("viewBox", "0 0 36 8");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = `<line x1="0" y1="4" x2="36" y2="4" stroke="${colour}" stroke-width="3" stroke-dasharray="${dash.join(" ")}"/>`;
  return svg;
}

/** A map (h, w) of bytes, in the 256 colours of `palette`. */
function paintMap(canvas, values, h, w, palette) {
  [canvas.width, canvas.height] = [w, h];
  canvas.style.width = `${(132 * w) / Math.max(w, h)}px`;
  const image = new ImageData(w, h);
  values.forEach((value, i) => {
    image.data.set(palette.subarray(3 * value, 3 * value + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** element("p", { class: "x" }, "text", child): HTML in one line. A property that is a function listens. */
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** A focusable element. JupyterLab's shortcuts are suppressed on the element itself: otherwise JupyterLab would take
 * the arrow keys and Enter, and on a surrounding element the attribute has no effect. */
function control(tag, properties, ...children) {
  const node = element(tag, { "data-lm-suppress-shortcuts": "true", ...properties }, ...children);
  const own = tag === "button" ? PRESS : [...PRESS, ...MOVES];
  node.addEventListener("keydown", (event) => { if (own.includes(event.key)) event.stopPropagation(); });
  return node;
}

const PRESS = ["Enter", " "]; // keys that a button handles itself; sliders, lists and fields also take those that move
const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

/** The key was handled here: the page must not scroll, nor a notebook around it (VS Code) go to the next cell. */
function handled(event) {
  event.preventDefault();
  event.stopPropagation();
}

/** Listen to a model's traits; returns a function that stops listening. */
function listen(model, traits, callback) {
  const events = traits.map((trait) => `change:${trait}`);
  events.forEach((event) => model.on(event, callback));
  return () => events.forEach((event) => model.off(event, callback));
}

/** "0.71", or a dash if there is no number. */
const figure = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : "–");
