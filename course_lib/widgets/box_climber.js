// Box climber: the search image with a box that can be dropped anywhere, and the maps that Python draws of its IoU.
// The box follows the pointer without the kernel; its path and the maps come when Python has answered.

function render({ model, el }) {
  const store = new FrameStore(model);
  const size = model.get("sizes")[0];
  const styles = model.get("styles");
  let own = null; // a box just dropped, until Python has answered
  let address = null;

  const canvas = frameCanvas([size], "", [440, 440]);
  takesKeys(canvas, "box editor", `${model.get("alt")} Arrow keys move the box, Shift with arrow keys resizes it, Enter takes a step, ` +
    "End climbs, Home returns to where it was dropped.");
  const editor = editBox(canvas, { size: () => size, get: now, set: drop });
  const maps = element("img", {
    class: "tc-image", draggable: "false",
    alt: "Predicted and true IoU of the box elsewhere and at other sizes, with its path and the true box.",
  });
  const captions = ["search image", "IoU of the box elsewhere (above) and at other sizes (below)"].map((text) => element("figcaption", {}, text));
  const panels = element("div", { class: "tc-panels" },
    ...[canvas, maps].map((node, k) => element("figure", { class: "tc-main" }, node, captions[k])));
  const readout = element("p", { class: "tc-readout", role: "status" });
  const bar = element("div", { class: "tc-bar" },
    control("button", { type: "button", click: () => go(model.get("step") + 1) }, "One step"),
    control("button", { type: "button", click: climb }, "Climb"),
    control("button", { type: "button", click: () => go(0) }, "Back"));
  const controls = makeControls(model);
  const help = element("p", { class: "tc-help" },
    "Drag to draw a box, drag inside it to move it, at a corner to resize it. Keyboard: arrow keys move it, Shift with arrow keys resizes it, " +
    "Enter takes a step, End climbs until nothing is gained, Home returns to where it was dropped.");
  el.append(element("div", { class: "tc-widget tc-bench", role: "group", "aria-label": model.get("title") },
    panels, readout, bar, controls.grid, help));

  canvas.addEventListener("keydown", (event) => {
    const act = { Enter: () => go(model.get("step") + 1), End: climb, Home: () => go(0) }[event.key];
    if (!act) return;
    handled(event);
    act();
  });

  function now() {
    return own ?? model.get("shown").now;
  }

  function go(step) {
    model.set("step", Math.max(0, step));
    model.save_changes();
  }

  function climb() {
    model.send("climb");
  }

  function drop(box) {
    own = box;
    model.set("box", box);
    model.set("step", 0);
    model.save_changes();
    draw();
  }

  /** Whether what Python shows belongs to the box that was dropped last. */
  function answered() {
    return own === null || own.every((value, k) => Math.abs(value - model.get("shown").start[k]) < 1e-6);
  }

  async function draw() {
    if (answered()) own = null;
    const bitmap = await store.bitmap(0).catch(() => null);
    if (!bitmap) return;
    const { start, boxes, count } = model.get("shown");
    paintFrame(canvas, bitmap, size);
    const all = own ? [] : floatsOf(boxes);
    for (let k = count - 1; k >= 0; k--) paintPath(all, count, k, styles[k ? 2 : 3].colour);
    paintBoxes(canvas, [model.get("truth"), own ? [NaN, NaN, NaN, NaN] : start, now()], size, [styles[0], styles[1], styles[3]]);
    editor.paintCorners(styles[3].colour);
  }

  /** The centre of box k of `count` from step to step. */
  function paintPath(all, count, k, colour) {
    const context = canvas.getContext("2d");
    const { scale, left, top } = fit(canvas, size);
    context.beginPath();
    for (let i = 4 * k; i < all.length; i += 4 * count) {
      context.lineTo(left + (all[i] + all[i + 2] / 2) * scale, top + (all[i + 1] + all[i + 3] / 2) * scale);
    }
    context.setLineDash([]);
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.stroke();
  }

  function drawMaps() {
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([bytesOf(model.get("png"))], { type: "image/png" }));
    maps.src = address;
    readout.textContent = model.get("readout");
  }

  const deaf = [
    listen(model, ["values"], controls.draw),
    listen(model, ["shown"], draw),
    listen(model, ["png", "readout"], drawMaps),
  ];
  controls.draw();
  draw();
  drawMaps();
  return () => {
    deaf.forEach((stop) => stop());
    if (address) URL.revokeObjectURL(address);
  };
}

export default { render };
