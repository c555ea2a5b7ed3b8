// Shared by sequence player and MOSSE bench: play, stop and step through the frames of a model.
// The frame number is the model's, so all views of one widget show the same frame;
// whether it plays is each view's own, so two views do not advance it twice.

/** A bar with Play, a slider over the frames, single steps and speed, for `model` with traits frame and fps. */
function makeTransport(model, store) {
  const last = store.length - 1;
  let timer = null;

  const play = control("button", { type: "button", class: "tc-play", click: () => (timer ? pause() : start()) }, "Play");
  const slider = control("input", {
    type: "range", min: 0, max: last, step: 1, class: "tc-wide", "aria-label": "Frame",
    input: () => { pause(); show(Number(slider.value)); },
  });
  const back = control("button", { type: "button", "aria-label": "Previous frame", click: () => step(-1) }, "◂");
  const forth = control("button", { type: "button", "aria-label": "Next frame", click: () => step(1) }, "▸");
  const speed = control("select", { "aria-label": "Speed" });
  for (const factor of [0.25, 0.5, 1, 2, 4]) {
    speed.append(new Option(`${factor}×`, factor, factor === 1, factor === 1));
  }
  const number = element("p", { class: "tc-readout", role: "status" });
  const bar = element("div", { class: "tc-bar" }, play, back, slider, forth, speed);
  bar.addEventListener("keydown", (event) => {
    // the slider and the list of speeds use the arrow keys themselves
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || event.target === slider || event.target === speed) return;
    handled(event);
    step(move);
  });

  function show(i) {
    model.set("frame", Math.min(Math.max(i, 0), last));
    model.save_changes(); // while the kernel is busy, messages are merged, not queued
  }

  function step(move) {
    pause();
    show(model.get("frame") + move);
  }

  function start() {
    if (model.get("frame") >= last) show(0);
    play.textContent = "Pause";
    number.setAttribute("aria-live", "off"); // reading every frame aloud helps nobody
    timer = setTimeout(tick, 0);
  }

  function pause() {
    clearTimeout(timer);
    timer = null;
    play.textContent = "Play";
    number.removeAttribute("aria-live");
  }

  async function tick() {
    const begun = performance.now();
    if (model.get("frame") >= last) return pause();
    show(model.get("frame") + 1);
    await store.bitmap(model.get("frame")).catch(() => null);
    const wait = 1000 / (model.get("fps") * Number(speed.value)) - (performance.now() - begun);
    if (timer) timer = setTimeout(tick, Math.max(0, wait));
  }

  /** Put frame i and `text` after it into the bar. */
  function tell(i, text) {
    slider.value = i;
    slider.setAttribute("aria-valuetext", `frame ${i} of 0 to ${last}`);
    number.textContent = `frame ${i} of 0–${last}${text}`;
  }

  return { bar, number, show, tell, pause };
}
