// For the tracker bench: how sure each tracker was over the last frames, one band for each target.

const LONG = 300; // frames shown
const BAND = { W: 700, left: 150, right: 690, height: 54 };

/** The scores of one target: `add` an answer for each frame, `svg` draws them from `top` down. */
class ScoreBand {
  constructor(number, colour) {
    Object.assign(this, { number, colour, answers: [] });
  }

  add(answer) {
    this.answers.push(answer);
    if (this.answers.length > LONG) this.answers.shift();
  }

  svg(top) {
    const { answers } = this;
    const now = answers.at(-1);
    const scores = answers.map((answer) => answer.score ?? NaN);
    const high = Math.max(1e-9, now.threshold ?? 0, ...scores.filter(Number.isFinite)) * 1.05;
    const low = Math.min(0, ...scores.filter(Number.isFinite));
    const step = (BAND.right - BAND.left) / LONG;
    const x = (i) => BAND.left + i * step;
    const y = (value) => top + BAND.height - 4 - ((value - low) / (high - low)) * (BAND.height - 10);
    const shade = (state, opacity) => answers.map((answer, i) => (answer.surety === state
      ? `<rect x="${x(i)}" y="${top}" width="${step}" height="${BAND.height - 4}" fill="currentColor" opacity="${opacity}"/>` : "")).join("");
    // a drawn box has no score: the line has a gap there
    const pieces = scores.map((v, i) => (Number.isFinite(v) ? `${x(i + 0.5)},${y(v)}` : "|")).join(" ").split("|");
    const line = pieces.map((points) => `<polyline points="${points}" style="stroke: ${this.colour}; stroke-width: 2"/>`).join("");
    const level = now.threshold === null ? ""
      : `<line class="tc-threshold" x1="${BAND.left}" x2="${BAND.right}" y1="${y(now.threshold)}" y2="${y(now.threshold)}"/>`;
    return shade("unsure", 0.12) + shade("lost", 0.34) + level + line +
      `<line class="tc-axis" x1="${BAND.left}" x2="${BAND.right}" y1="${top + BAND.height - 4}" y2="${top + BAND.height - 4}"/>` +
      `<text x="0" y="${top + 20}">${this.number}: ${now.tracker}</text><text x="0" y="${top + 38}">${figure(now.score ?? NaN)} ${now.surety || "no threshold"}</text>`;
  }
}

/** All bands as one SVG; its sentence is for readers who cannot see it. */
function bandsSvg(bands) {
  const height = BAND.height * bands.length;
  const said = bands.map((band) => `target ${band.number} ${band.answers.at(-1).surety || "without a threshold"}`).join(", ");
  return `<svg class="tc-chart" viewBox="0 0 ${BAND.W} ${height}" role="img" aria-label="Score of each tracker over the last frames: ${said}">` +
    bands.map((band, k) => band.svg(k * BAND.height)).join("") + "</svg>";
}
