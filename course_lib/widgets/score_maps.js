// Score-map explorer: the exemplar's box on the left, the exemplar, and a frame under its response on the right.
// Frames, boxes and pointing need no kernel; only a new response does.

function render({ model, el }) {
  const store = new FrameStore(model);
  const truth = floatsOf(model.get("truth"));
  const styles = model.get("styles");
  let pointed = null; // the response's cell being read: [row, column]
  let speech = null;

  const sizeOf = (i) => model.get("sizes")[i];
  const drawnIn = () => model.get("values").drawn_in;
  const left = frameCanvas(model.get("sizes"), "", [260, 220]);
  const right = frameCanvas(model.get("sizes"), "", [440, 380]);
  takesKeys(left, "box editor", `${model.get("alt")} This is the exemplar's box: arrow keys move it, Shift with arrow keys resizes it.`);
  takesKeys(right, "response", "Response over the frame. Arrow keys move over its cells, Home goes to the highest one.");
  const exemplar = element("img", { alt: "exemplar", width: 127, height: 127, draggable: "false" });
  const editor = editBox(left, { size: () => sizeOf(drawnIn()), get: () => model.get("box"), set: setBox });
  const controls = makeControls(model);
  const readout = element("p", { class: "tc-readout", role: "status" });
  const probe = element("p", { class: "tc-readout tc-probe" });
  const voice = element("p", { class: "tc-hidden", role: "status", "aria-live": "polite" });
  const captions = ["", "exemplar z", ""].map((text) => element("figcaption", {}, text));
  const figures = [left, exemplar, right].map((node, k) => element("figure", {}, node, captions[k]));
  const panels = element("div", { class: "tc-panels" }, element("div", {}, figures[0], figures[1]), figures[2]);
  const help = element("p", { class: "tc-help" },
    "Left: drag to draw another exemplar's box, drag inside it to move it; arrow keys move it, Shift with arrow keys resizes it. " +
    "Right: point at the response, or move over its cells with the arrow keys.");
  el.append(element("div", { class: "tc-widget tc-bench", role: "group", "aria-label": model.get("title") },
    panels, readout, probe, controls.grid, help, voice));
  let address = null;

  function setBox(box) {
    model.set("box", box);
    if (model.get("values").exemplar !== 0) controls.send("exemplar", 0); // use the box that is drawn
    model.save_changes();
    drawLeft();
    const [x, y, w, h] = box.map(tenth);
    say(`Exemplar at x ${x}, y ${y}, width ${w}, height ${h}`);
  }

  /** Read aloud once nothing changes any more. */
  function say(text) {
    clearTimeout(speech);
    speech = setTimeout(() => (voice.textContent = text), 400);
  }

  async function drawLeft() {
    const i = drawnIn();
    captions[0].textContent = `frame ${i}: the exemplar's box`;
    const bitmap = await store.bitmap(i).catch(() => null);
    if (!bitmap || i !== drawnIn()) return; // another frame was asked for meanwhile
    paintFrame(left, bitmap, sizeOf(i));
    if (model.get("values").exemplar !== 0) return;
    paintBoxes(left, [model.get("box")], sizeOf(i), [styles[1]]);
    editor.paintCorners(styles[1].colour);
  }

  function drawExemplar() {
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([bytesOf(model.get("crop"))], { type: "image/jpeg" }));
    exemplar.src = address;
  }

  async function drawRight() {
    const map = model.get("shown");
    const values = floatsOf(map.values);
    captions[2].textContent = `response over frame ${map.frame}`;
    tell(map, values);
    const bitmap = await store.bitmap(map.frame).catch(() => null);
    if (!bitmap || map !== model.get("shown")) return;
    const size = sizeOf(map.frame);
    paintFrame(right, bitmap, size);
    paintHeat(right, size, map, values, bytesOf(model.get("palette")));
    paintBoxes(right, [Array.from(truth.slice(4 * map.frame, 4 * map.frame + 4))], size, [styles[0]]);
    if (pointed) paintCell(right, size, map, pointed);
  }

  /** Show the value of the cell under the pointer. */
  function tell(map, values) {
    if (!pointed) return (probe.textContent = "point at the response to read a cell");
    const [row, column] = pointed;
    const value = values[row * map.side + column];
    const higher = values.filter((other) => other > value).length;
    probe.textContent = `row ${row}, column ${column}: response ${figure(value)}, ` +
      (higher ? `${higher} of ${values.length} cells are higher` : "the highest");
  }

  function point(cell) {
    pointed = cell;
    drawRight();
    say(probe.textContent);
  }

  function onPoint(event) {
    const map = model.get("shown");
    const [x, y] = pointIn(right, sizeOf(map.frame), event);
    const cell = [y - map.middle[1], x - map.middle[0]].map((d) => Math.round(d / map.step + (map.side - 1) / 2));
    const inside = cell.every((k) => k >= 0 && k < map.side);
    if (String(inside ? cell : null) !== String(pointed)) point(inside ? cell : null);
  }

  right.addEventListener("pointermove", onPoint);
  right.addEventListener("pointerdown", (event) => { event.preventDefault(); right.focus(); onPoint(event); });
  right.addEventListener("keydown", (event) => {
    const map = model.get("shown");
    const step = stepOf(event);
    if (!step && event.key !== "Home") return;
    handled(event);
    const peak = highest(floatsOf(map.values), map.side);
    if (!step || !pointed) return point(peak);
    point([pointed[0] + step[1], pointed[1] + step[0]].map((k) => clamp(k, 0, map.side - 1)));
  });

  const deaf = [
    listen(model, ["values"], () => { controls.draw(); drawLeft(); }),
    listen(model, ["box"], drawLeft),
    listen(model, ["crop"], drawExemplar),
    listen(model, ["shown"], drawRight),
    listen(model, ["readout"], () => (readout.textContent = model.get("readout"))),
  ];
  readout.textContent = model.get("readout");
  controls.draw();
  drawLeft();
  drawExemplar();
  drawRight();
  return () => {
    deaf.forEach((stop) => stop());
    clearTimeout(speech);
    if (address) URL.revokeObjectURL(address);
  };
}

/** Row and column of the highest of side × side values. */
function highest(values, side) {
  const k = values.indexOf(Math.max(...values));
  return [Math.floor(k / side), k % side];
}

/** Where a map's first cell begins on the canvas, and the size of a cell there. */
function cellsOn(canvas, size, { middle, step, side }) {
  const { scale, left, top } = fit(canvas, size);
  const cell = step * scale;
  return { cell, x: left + middle[0] * scale - (side * cell) / 2, y: top + middle[1] * scale - (side * cell) / 2 };
}

/** The response over the frame: dark and transparent where low, bright and opaque where high. */
function paintHeat(canvas, size, map, values, palette) {
  const small = document.createElement("canvas");
  small.width = small.height = map.side;
  const image = new ImageData(map.side, map.side);
  const low = Math.min(...values);
  const range = Math.max(Math.max(...values) - low, 1); // a flat response stays dark
  values.forEach((value, i) => {
    const share = (value - low) / range;
    const k = 3 * Math.round(255 * share);
    image.data.set([...palette.slice(k, k + 3), 255 * (0.25 + 0.5 * share)], 4 * i);
  });
  small.getContext("2d").putImageData(image, 0, 0);
  const { cell, x, y } = cellsOn(canvas, size, map);
  canvas.getContext("2d").drawImage(small, x, y, cell * map.side, cell * map.side);
}

function paintCell(canvas, size, map, [row, column]) {
  const { cell, x, y } = cellsOn(canvas, size, map);
  const context = canvas.getContext("2d");
  context.setLineDash([]);
  for (const [stroke, width] of [["#000000", 4], ["#ffffff", 2]]) {
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.strokeRect(x + column * cell, y + row * cell, cell, cell);
  }
}

export default { render };
