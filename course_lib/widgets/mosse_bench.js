// MOSSE bench: sliders set traits of the model; Python runs the sequence again and answers with `tracked` and `maps`.

const NUMBERS = 7; // per frame in `tracked`: x, y, w, h, PSR, IoU, learned (1) or not (0)
const CHART = { W: 700, left: 44, right: 690, psr: [8, 112], iou: [124, 164], H: 182 };

function render({ model, el }) {
  const store = new FrameStore(model);
  const T = store.length;
  const truth = floatsOf(model.get("truth"));

  const sliders = model.get("sliders").map((slider) => makeSlider(model, slider));
  const settings = element("div", { class: "tc-settings" }, ...sliders.flatMap((slider) => slider.nodes));
  const canvas = frameCanvas(model.get("sizes"), model.get("alt"), [440, 400]);
  const maps = ["filter", "response"].map((name) => {
    const map = element("canvas", { role: "img", "aria-label": `${name} of the frame in view` });
    return { map, figure: element("figure", { class: "tc-map" }, map, element("figcaption", {}, name)) };
  });
  const panels = element("div", { class: "tc-panels" }, element("figure", { class: "tc-main" }, canvas));
  panels.append(...maps.map((entry) => entry.figure));
  const transport = makeTransport(model, store);
  const chart = element("div", { click: onChart });
  const summary = element("p", { class: "tc-readout tc-summary", role: "status" });
  el.append(element("div", { class: "tc-widget", role: "group", "aria-label": "MOSSE bench" },
    settings, panels, transport.bar, transport.number, chart, summary));

  const tracked = () => floatsOf(model.get("tracked"));
  const row = (numbers, i, width) => Array.from(numbers.slice(i * width, (i + 1) * width));
  const column = (numbers, k) => Array.from({ length: T }, (_, i) => numbers[i * NUMBERS + k]);

  async function drawFrame() {
    const i = model.get("frame");
    const now = row(tracked(), i, NUMBERS);
    const held = now[6] ? "" : " · box kept, nothing learned";
    transport.tell(i, ` · PSR ${figure(now[4], 1)} · IoU ${figure(now[5])}${held}`);
    chart.querySelector(".tc-now")?.setAttribute("transform", `translate(${along(i, T)} 0)`);
    const bitmap = await store.bitmap(i).catch(() => null);
    if (!bitmap || i !== model.get("frame")) return; // another frame was asked for meanwhile
    const size = model.get("sizes")[i];
    paintFrame(canvas, bitmap, size);
    paintBoxes(canvas, [row(truth, i, 4), now.slice(0, 4)], size, model.get("styles"));
  }

  function drawRun() {
    const [psr, iou] = [column(tracked(), 4), column(tracked(), 5)];
    chart.innerHTML = chartOf(psr, iou, model.get("threshold"), model.get("occluded"));
    summary.textContent = summarise(psr, iou, model.get("threshold"), model.get("occluded"));
    drawFrame();
  }

  function drawMaps() {
    const { shapes, pixels } = model.get("maps");
    const palette = bytesOf(model.get("palette"));
    let start = 0;
    shapes.forEach(([h, w], k) => {
      paintMap(maps[k].map, bytesOf(pixels).slice(start, start + h * w), h, w, palette);
      start += h * w;
    });
  }

  function onChart(event) {
    const page = chart.getBoundingClientRect();
    const x = ((event.clientX - page.left) * CHART.W) / page.width;
    transport.pause();
    transport.show(Math.round(((x - CHART.left) / (CHART.right - CHART.left)) * Math.max(1, T - 1)));
  }

  const deaf = [
    listen(model, ["frame"], drawFrame),
    listen(model, ["tracked"], drawRun),
    listen(model, ["maps"], drawMaps),
  ];
  drawRun();
  drawMaps();
  return () => { deaf.forEach((end) => end()); sliders.forEach((s) => s.end()); transport.pause(); };
}

/** Label, slider and number of one setting. A logarithmic slider moves the exponent. */
function makeSlider(model, { name, label, low, high, step, log }) {
  const there = (value) => (log ? Math.log10(value) : value);
  const input = control("input", {
    type: "range", min: there(low), max: there(high), step, "aria-label": label,
    input: () => {
      model.set(name, log ? 10 ** Number(input.value) : Number(input.value));
      model.save_changes(); // while a run is in progress, newer values replace older ones
    },
  });
  const number = element("output");
  const refresh = () => {
    const value = model.get(name);
    number.textContent = log ? value.toExponential(1) : String(Number(value.toFixed(3)));
    input.setAttribute("aria-valuetext", number.textContent);
    // rounding must not move the slider under the user's finger
    if (Math.abs(Number(input.value) - there(value)) > step / 2) input.value = there(value);
  };
  input.value = there(model.get(name));
  refresh();
  return { nodes: [element("span", { "aria-hidden": "true" }, label), input, number], end: listen(model, [name], refresh) };
}

/** Position of frame i of T on the chart. */
const along = (i, T) => CHART.left + (i / Math.max(1, T - 1)) * (CHART.right - CHART.left);

/** PSR with its threshold, IoU below, occluded frames shaded, as SVG: colours come from the theme. */
function chartOf(psr, iou, threshold, occluded) {
  const T = psr.length;
  const top = 1.05 * Math.max(threshold, ...psr.filter(Number.isFinite));
  const level = (value, [high, low], most) => low - (value / most) * (low - high);
  const line = (values, band, most) => {
    const points = values.map((v, i) => (Number.isFinite(v) ? `${along(i, T)},${level(v, band, most)}` : ""));
    return `<polyline points="${points.join(" ")}"/>`;
  };
  const width = (CHART.right - CHART.left) / Math.max(1, T - 1);
  const shade = occluded.map((hidden, i) => (hidden
    ? `<rect class="tc-occluded" x="${along(i, T) - width / 2}" y="8" width="${width}" height="156"/>` : ""));
  const y = level(threshold, CHART.psr, top);
  const axis = (band) => `<path class="tc-axis" d="M${CHART.left} ${band[0]}V${band[1]}H${CHART.right}" fill="none"/>`;
  return `<svg class="tc-chart" viewBox="0 0 ${CHART.W} ${CHART.H}" role="img" aria-label="PSR and IoU along the sequence">
    ${shade.join("")}${axis(CHART.psr)}${axis(CHART.iou)}
    <line class="tc-threshold" x1="${CHART.left}" x2="${CHART.right}" y1="${y}" y2="${y}"/>
    ${line(psr, CHART.psr, top)}${line(iou, CHART.iou, 1)}
    <text x="4" y="18">PSR</text><text x="${CHART.left - 4}" y="${y + 4}" text-anchor="end">${threshold}</text>
    <text x="4" y="134">IoU</text><text x="${CHART.left - 4}" y="164" text-anchor="end">0</text>
    <text x="${CHART.left}" y="179">frame 0</text><text x="${CHART.right}" y="179" text-anchor="end">${T - 1}</text>
    <line class="tc-now" x1="0" x2="0" y1="6" y2="166"/>
  </svg>`;
}

/** The scores of the run, in a sentence. */
function summarise(psr, iou, threshold, occluded) {
  const lowest = (frames) => frames.reduce((best, i) => (psr[i] < psr[best] ? i : best), frames[0]);
  const known = psr.map((_, i) => i).filter((i) => Number.isFinite(psr[i]));
  const hidden = known.filter((i) => occluded[i]);
  const overlaps = iou.filter(Number.isFinite);
  const mean = overlaps.reduce((sum, v) => sum + v, 0) / overlaps.length;
  const parts = [`mean IoU ${figure(mean)}`];
  if (known.length) {
    parts.push(`PSR below ${threshold} in ${known.filter((i) => psr[i] < threshold).length} of ${known.length} frames`);
    parts.push(`lowest PSR ${figure(psr[lowest(known)], 1)} in frame ${lowest(known)}`);
  }
  if (hidden.length) parts.push(`while occluded ${figure(psr[lowest(hidden)], 1)} in frame ${lowest(hidden)}`);
  return parts.join(" · ");
}

export default { render };
