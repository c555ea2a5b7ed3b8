// Tracker race: the frame once for each tracker, and a chart of all of them that can be scrubbed.

const CHART = { W: 700, left: 44, right: 690, top: 8, bottom: 120, H: 140 };

function render({ model, el }) {
  const store = new FrameStore(model);
  const T = store.length;
  const [truthStyle, ...styles] = model.get("styles");
  const truth = floatsOf(model.get("truth"));
  const tracked = floatsOf(model.get("tracked"));
  const lines = { "IoU with the truth": floatsOf(model.get("ious")), "score, relative to each tracker's highest": floatsOf(model.get("scores")) };

  const panels = element("div", { class: "tc-panels" });
  const lanes = styles.map((style) => {
    const canvas = frameCanvas(model.get("sizes"), `${model.get("alt")} ${style.label}.`, [styles.length > 2 ? 226 : 346, 300]);
    const caption = element("span");
    panels.append(element("figure", {}, canvas, element("figcaption", {}, sample(style), caption)));
    return { style, canvas, caption };
  });
  const transport = makeTransport(model, store);
  const kind = control("select", { "aria-label": "What the chart shows", change: drawChart });
  Object.keys(lines).forEach((name) => kind.append(new Option(name, name)));
  const chart = element("div", { class: "tc-scrub" });
  el.append(element("div", { class: "tc-widget", role: "group", "aria-label": "Tracker race" },
    panels, transport.bar, transport.number, kind, chart));

  const along = (i) => CHART.left + (i / Math.max(1, T - 1)) * (CHART.right - CHART.left);
  const level = (value) => CHART.bottom - Math.max(0, value) * (CHART.bottom - CHART.top);
  const rowOf = (numbers, k, i) => Array.from(numbers.slice(4 * (k * T + i), 4 * (k * T + i) + 4));

  function drawChart() {
    const values = lines[kind.value];
    const parts = styles.map(({ colour, dash }, k) => {
      const points = Array.from({ length: T }, (_, i) => values[k * T + i])
        .map((v, i) => (Number.isFinite(v) ? `${along(i)},${level(v)}` : "|")).join(" ");
      const pieces = points.split("|").filter((piece) => piece.trim());
      return pieces.map((piece) => `<polyline points="${piece}" style="stroke: ${colour}; stroke-dasharray: ${dash.join(" ")}"/>`).join("");
    });
    const ticks = [0, 0.5, 1].map((v) => `<text x="${CHART.left - 6}" y="${level(v) + 4}" text-anchor="end">${v}</text>` +
      `<line class="tc-axis" x1="${CHART.left}" x2="${CHART.right}" y1="${level(v)}" y2="${level(v)}"/>`);
    chart.innerHTML = `<svg class="tc-chart" viewBox="0 0 ${CHART.W} ${CHART.H}" role="img" aria-label="${kind.value} of ${styles.map((s) => s.label).join(", ")} along the sequence">` +
      `${ticks.join("")}${parts.join("")}<line class="tc-now" x1="0" x2="0" y1="${CHART.top}" y2="${CHART.bottom}"/>` +
      `<text x="${CHART.right}" y="${CHART.H - 4}" text-anchor="end">frame ${T - 1}</text></svg>`;
    draw();
  }

  async function draw() {
    const i = model.get("frame");
    const best = lines["IoU with the truth"];
    transport.tell(i, "");
    chart.querySelector(".tc-now")?.setAttribute("transform", `translate(${along(i)} 0)`);
    lanes.forEach(({ style, caption }, k) => (caption.textContent = `${style.label}: IoU ${figure(best[k * T + i])}`));
    const bitmap = await store.bitmap(i).catch(() => null);
    if (!bitmap || i !== model.get("frame")) return; // another frame was asked for meanwhile
    const size = model.get("sizes")[i];
    lanes.forEach(({ style, canvas }, k) => {
      paintFrame(canvas, bitmap, size);
      // the caption names the tracker: labels on the boxes would hide much of so small a frame
      paintOutlines(canvas, [rowOf(truth, 0, i), rowOf(tracked, k, i)], size, [truthStyle, style]);
    });
  }

  function scrub(event) {
    if (event.type === "pointermove" && !event.buttons) return;
    const page = chart.getBoundingClientRect();
    const x = ((event.clientX - page.left) * CHART.W) / page.width;
    transport.pause();
    transport.show(Math.round(((x - CHART.left) / (CHART.right - CHART.left)) * Math.max(1, T - 1)));
  }

  chart.addEventListener("pointerdown", (event) => { chart.setPointerCapture(event.pointerId); scrub(event); });
  chart.addEventListener("pointermove", scrub);
  const deaf = listen(model, ["frame"], draw);
  drawChart();
  return () => { deaf(); transport.pause(); };
}

export default { render };
