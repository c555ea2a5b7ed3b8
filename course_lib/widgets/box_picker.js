// Box picker: one frame, the box on it, and how well it fits.

/** Distance between the centres of two boxes, in pixels. */
const centreError = (a, b) => Math.hypot(a[0] + a[2] / 2 - b[0] - b[2] / 2, a[1] + a[3] / 2 - b[1] - b[3] / 2);

function render({ model, el }) {
  const store = new FrameStore(model);
  const size = model.get("sizes")[0];
  let speech = null;

  const canvas = frameCanvas([size], model.get("alt"));
  takesKeys(canvas, "box editor", `${model.get("alt")} Arrow keys move the box, Shift with arrow keys resizes it.`);
  const editor = editBox(canvas, { size: () => size, get: () => model.get("box"), set: setBox });
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
    "Drag to draw a box, drag inside it to move it, at a corner to resize it. Keyboard: arrow keys move it, Shift with arrow keys resizes it, Escape undoes a drag.");
  el.append(element("div", { class: "tc-widget", role: "group", "aria-label": "Box picker" }, canvas, readout, bar, help, voice));

  /** A number was typed; an empty field is not a zero. */
  function setFrom(k) {
    editor.put(model.get("box").with(k, fields[k].valueAsNumber));
  }

  function setBox(box) {
    model.set("box", box);
    model.save_changes();
    draw(); // even if nothing changed: a field may hold a refused value
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
    clearTimeout(speech); // spoken once the box is at rest
    speech = setTimeout(() => {
      const [x, y, w, h] = box.map(tenth);
      voice.textContent = `Box x ${x}, y ${y}, width ${w}, height ${h}; ${describe()}`;
    }, 400);
    const bitmap = await store.bitmap(0).catch(() => null);
    if (!bitmap) return;
    paintFrame(canvas, bitmap, size);
    const truth = (model.get("show_truth") && model.get("truth")) || [NaN, NaN, NaN, NaN];
    paintBoxes(canvas, [truth, model.get("box")], size, model.get("styles"));
    editor.paintCorners(model.get("styles")[1].colour);
  }

  const deaf = listen(model, ["box", "show_truth", "truth"], draw);
  draw();
  return () => { deaf(); clearTimeout(speech); };
}

export default { render };
