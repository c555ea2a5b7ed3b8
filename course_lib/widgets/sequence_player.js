// Sequence player: the frame in view, its boxes, and a legend with the IoU of each.

function render({ model, el }) {
  const store = new FrameStore(model);
  const T = store.length;
  const layers = model.get("layers");
  const boxes = floatsOf(model.get("layer_boxes"));
  const ious = floatsOf(model.get("layer_ious"));
  const cut = model.get("total") > T ? ` (the sequence has ${model.get("total")} frames)` : "";

  const canvas = frameCanvas(model.get("sizes"), model.get("alt"));
  const transport = makeTransport(model, store);
  const legend = element("ul", { class: "tc-legend" });
  const scores = layers.map((layer) => {
    const score = element("span");
    legend.append(element("li", {}, sample(layer), `${layer.label} `, score));
    return score;
  });
  el.append(element("div", { class: "tc-widget", role: "group", "aria-label": "Sequence player" },
    canvas, transport.bar, transport.number, legend));

  const boxAt = (k, i) => Array.from(boxes.slice(4 * (k * T + i), 4 * (k * T + i) + 4));

  function describe(k, i) {
    const present = boxAt(k, i).every(Number.isFinite);
    if (layers[k].label === "ground truth") return present ? "" : "(absent)";
    return present ? `IoU ${figure(ious[k * T + i])}` : "(no box)";
  }

  async function draw() {
    const i = model.get("frame");
    transport.tell(i, cut);
    scores.forEach((score, k) => (score.textContent = describe(k, i)));
    const bitmap = await store.bitmap(i).catch(() => null);
    if (!bitmap || i !== model.get("frame")) return; // another frame was asked for meanwhile
    const size = model.get("sizes")[i];
    paintFrame(canvas, bitmap, size);
    paintBoxes(canvas, layers.map((_, k) => boxAt(k, i)), size, layers);
  }

  const deaf = listen(model, ["frame"], draw);
  draw();
  return () => { deaf(); transport.pause(); };
}

export default { render };
