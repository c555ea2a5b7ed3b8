// Tracker bench: frames go to Python one at a time, the next one when the answer to the last is there.
// So Python is never behind, and a kernel that is busy elsewhere only delays.

const PATIENCE = 2000; // milliseconds without an answer until the page says that it waits
const CHART_EVERY = 200; // milliseconds while it tracks: laying out the page again is slower than a tracker
const BEGIN = "Choose a video file or the webcam.";
const DRAW = "Draw a box around the target, then press Track.";

function render({ model, el }) {
  const styles = model.get("styles");
  const names = model.get("trackers");
  const inKernel = model.get("kernel"); // Python has the frames
  const source = new BrowserSource();
  const view = Math.random().toString(36).slice(2); // several views of one widget: each gets its own answers
  const asked = new Map(); // number of a question → what its answer resolves
  let [questions, open, running, previews, openings, paintings, charted] = [0, false, false, 0, 0, 0, 0];
  let shown = null; // the frame in view: bitmap, size, and jpeg and seconds while Python does not have it
  let chosen = 1; // the target that is drawn
  let said = new Map(); // target → Python's last answer
  let pending = new Map(); // target → box drawn and not yet sent
  const wanted = new Map(); // target → name of the tracker it shall get
  let bands = new Map(); // target → its scores
  let ticks = []; // times of the last answers
  let last = -1; // number of the frame in view, by Python's count
  let [runs, work] = [0, Promise.resolve()]; // the run that counts; settles when no run is at work
  let speech = null; // a box is spoken once it is at rest
  let upcoming = null; // promise of the browser's next frame: it is fetched while Python tracks in this one

  const canvas = element("canvas", { role: "img" });
  [canvas.width, canvas.height] = [640, 360];
  takesKeys(canvas, "box editor", `${model.get("alt")} Arrow keys move the box, Shift with arrow keys resizes it, Enter tracks or pauses.`);
  canvas.addEventListener("pointerdown", pause);
  canvas.addEventListener("keydown", (event) => {
    if (stepOf(event) && open) {
      pause();
      if (!boxFor(chosen)) pending.set(chosen, centralBox()); // the first key brings a box to move
    }
    if (event.key !== "Enter") return;
    handled(event);
    toggle();
  });
  const editor = editBox(canvas, { size: () => shown?.size ?? [640, 360], get: drawnBox, set: drawBox });

  const file = control("input", { type: "file", accept: "video/*", "aria-label": "Video file", click: forgetFile, change: () => file.files[0] && begin(() => source.openFile(file.files[0])) });
  const camera = control("button", { type: "button", click: () => { forgetFile(); begin(() => source.openCamera()); } }, "Webcam");
  const hurry = control("input", { type: "checkbox", change: () => (source.patient = !hurry.checked) });
  const play = control("button", { type: "button", class: "tc-play", click: toggle }, "Track");
  const once = control("button", { type: "button", click: () => run(1) }, "One frame");
  const again = control("button", { type: "button", click: restart }, "From the start");
  const tracker = control("select", { "aria-label": "Tracker", change: redraw });
  names.forEach((name) => tracker.append(new Option(name, name)));
  tracker.value = model.get("tracker");
  const target = control("select", { "aria-label": "Target", change: () => choose(Number(target.value)) });
  const add = control("button", { type: "button", click: addTarget }, "Add target");
  const drop = control("button", { type: "button", click: dropTarget }, "Drop target");
  const save = { mp4: "Save video", csv: "Save table" };
  const saves = Object.keys(save).map((kind) => control("button", { type: "button", click: () => download(kind) }, save[kind]));
  const map = element("canvas", { role: "img", "aria-label": "score map of the chosen target" });
  const mapName = element("figcaption");
  const chart = element("div");
  const readout = element("p", { class: "tc-readout" }, BEGIN);
  const voice = element("p", { class: "tc-hidden", role: "status", "aria-live": "polite" });
  const help = element("p", { class: "tc-help" },
    "Drag to draw a box, drag inside it to move it, at a corner to resize it: tracking pauses, and goes on with the new box. Keyboard, on the image: " +
    "arrow keys place a box and move it, Shift with arrow keys resizes it, Enter tracks or pauses. Below: score over time; the dashed line is the score from which " +
    "the tracker is sure; it is unsure where the chart is shaded, lost where it is darker. A video file is read at 25 frames a second.");
  const sources = inKernel ? [again] : [file, camera, again, element("label", {}, hurry, " play a file without waiting for the tracker")];
  el.append(element("div", { class: "tc-widget tc-bench", role: "group", "aria-label": "Tracker bench" },
    element("div", { class: "tc-bar" }, ...sources),
    element("div", { class: "tc-panels" }, element("figure", { class: "tc-live" }, canvas), element("figure", { class: "tc-map" }, map, mapName)),
    element("div", { class: "tc-bar" }, play, once, target, tracker, add, drop, ...saves),
    readout, chart, help, voice));

  /** Otherwise choosing the same file again would be no change. */
  function forgetFile() {
    file.value = "";
  }

  /** Ask Python; resolves with its answer and bytes. */
  function ask(content, buffers = []) {
    return new Promise((resolve) => {
      asked.set(++questions, resolve);
      model.send({ ...content, ask: questions, view }, undefined, buffers);
    });
  }

  function onMessage(content, buffers) {
    if (content.view !== view) return;
    asked.get(content.ask)?.([content, buffers]);
    asked.delete(content.ask);
  }

  function tell(text) {
    readout.textContent = text;
    voice.textContent = text;
  }

  /** Open a source and show its first frame; all targets are forgotten. */
  async function begin(opening, anew = true) {
    pause();
    open = false;
    const [mine, turn] = [++previews, ++openings];
    try {
      await work; // the old source's last frame is answered
      if (turn !== openings) return; // another source was chosen meanwhile
      const [answer] = anew ? await patiently(ask({ do: "open" })) : [{}];
      if (answer.problem) return tell(answer.problem);
      [said, pending, bands, chosen, last, upcoming, shown] = [new Map(), new Map(), new Map(), 1, -1, null, null];
      await opening();
      if (!inKernel) shown = await source.grab();
    } catch (problem) {
      return tell(problem.message);
    }
    if (!shown) return; // what is wrong was said
    open = true;
    const scale = Math.min(640 / shown.size[0], 460 / shown.size[1]);
    [canvas.width, canvas.height] = shown.size.map((side) => Math.round(side * scale));
    said.forEach((one, number) => wanted.set(number, one.tracker));
    if (!said.size) wanted.set(1, tracker.value);
    list();
    draw();
    if (!said.size) tell(DRAW);
    if (source.live) preview(mine);
  }

  /** The camera's newest frame, again and again, until a box is drawn or tracking begins. */
  async function preview(mine) {
    while (open && mine === previews && source.live) {
      const frame = await source.grab();
      if (mine !== previews) return;
      shown = frame;
      draw();
      await new Promise((go) => setTimeout(go, 60));
    }
  }

  function restart() {
    if (inKernel) begin(look);
    else if (source.address) begin(() => source.rewind());
    else tell("There is no video file to restart.");
  }

  /** Python's own first frame, or the one that another view has come to. */
  async function look() {
    await take(await patiently(ask({ do: "look" })));
  }

  function centralBox() {
    const [W, H] = shown.size;
    const aside = 6 * (chosen - 1);
    return [(3 * W) / 8 + aside, (3 * H) / 8 + aside, W / 4, H / 4].map(tenth);
  }

  /** A target's box, drawn or tracked; undefined if there is none. */
  function boxFor(number) {
    return pending.get(number) ?? said.get(number)?.box ?? undefined;
  }

  /** The chosen target's box; without one a box far outside, so that every drag draws. */
  function drawnBox() {
    return boxFor(chosen) ?? [-1e6, -1e6, 1, 1];
  }

  function drawBox(box) {
    if (!open) return;
    pause();
    const [x, y, w, h] = box;
    if (w <= 1 && h <= 1) pending.delete(chosen); // a first drag that was undone
    else pending.set(chosen, box);
    draw();
    clearTimeout(speech);
    const words = `Box of target ${chosen} x ${x}, y ${y}, width ${w}, height ${h}`;
    speech = setTimeout(() => (voice.textContent = words), 400);
  }

  /** Another tracker for the chosen target: it starts at the box in view. */
  function redraw() {
    wanted.set(chosen, tracker.value);
    model.set("tracker", tracker.value);
    model.save_changes();
    if (open && boxFor(chosen)) drawBox([...boxFor(chosen)]);
  }

  function choose(number) {
    chosen = number;
    tracker.value = wanted.get(number) ?? tracker.value;
    wanted.set(number, tracker.value);
    draw();
  }

  function addTarget() {
    const known = [...said.keys(), ...pending.keys()];
    const free = styles.findIndex((_, k) => !known.includes(k + 1)) + 1;
    if (!open || !free) return tell(open ? `There are ${styles.length} targets; more are not possible.` : BEGIN);
    pause();
    chosen = free;
    wanted.set(chosen, tracker.value);
    list();
    draw();
    tell(`Draw a box around target ${chosen}.`);
  }

  async function dropTarget() {
    if (!open) return;
    pause();
    pending.delete(chosen);
    bands.delete(chosen);
    if (said.has(chosen)) await take(await patiently(ask({ do: "step", drops: [chosen] })));
    const left = [...said.keys(), ...pending.keys()];
    choose(left.length ? Math.min(...left) : 1);
    list();
  }

  /** The targets in the list. */
  function list() {
    target.replaceChildren();
    const known = new Set([...said.keys(), ...pending.keys(), chosen]);
    [...known].sort((a, b) => a - b).forEach((number) => target.append(new Option(`target ${number}`, number)));
    target.value = chosen;
  }

  function toggle() {
    if (running) pause();
    else run(Infinity);
  }

  function pause() {
    running = false;
    runs++;
    previews++; // a preview ends
    if (source.live) upcoming = null; // it will be old when tracking goes on
    source.hold();
    play.textContent = "Track";
  }

  /** Track so many frames, or until the end. */
  async function run(frames) {
    if (!open || running) return open || tell(BEGIN);
    if (!said.size && !pending.size) return tell(DRAW);
    running = true;
    const mine = ++runs;
    previews++;
    play.textContent = "Pause";
    ticks = [];
    voice.textContent = "tracking";
    work = work.then(() => mine === runs && track(frames, mine)); // never two at once
    await work;
    if (mine === runs) pause();
    draw();
  }

  async function track(frames, mine) {
    try {
      let going = await flush();
      for (let k = 0; going && mine === runs && k < frames; k++) going = await next();
    } catch (problem) {
      tell(problem.message);
    }
  }

  /** Send the boxes drawn, and the frame in view if Python does not have it. */
  async function flush() {
    if (!pending.size && !shown.jpeg) return true;
    const starts = [...pending].map(([number, box]) => ({ target: number, box, tracker: wanted.get(number) }));
    const message = { do: "step", starts, seconds: shown.seconds ?? 0 };
    const good = await take(await patiently(ask(message, shown.jpeg ? [shown.jpeg] : [])));
    // a box drawn meanwhile waits for the next run
    if (good) starts.forEach(({ target, box }) => { if (pending.get(target) === box) pending.delete(target); });
    return good;
  }

  /** Send the next frame; false at the end. */
  async function next() {
    if (inKernel) return take(await patiently(ask({ do: "step", next: true })));
    const frame = await (upcoming ?? source.next());
    upcoming = null;
    if (!frame) return end();
    const answer = ask({ do: "step", seconds: frame.seconds }, [frame.jpeg]);
    upcoming = source.next();
    upcoming.catch(() => null); // said when it is waited for
    const result = await patiently(answer);
    shown = frame;
    return take(result);
  }

  function end() {
    tell("The end of the video.");
    return false;
  }

  async function patiently(promise) {
    const timer = setTimeout(() => tell("Waiting for Python: it is loading a tracker, or another cell is running."), PATIENCE);
    const result = await promise;
    clearTimeout(timer);
    return result;
  }

  /** Show an answer of Python's; false if it ends the run. */
  async function take([answer, buffers]) {
    if (answer.problem) {
      if (shown && answer.frame > last) [shown.jpeg, last] = [null, answer.frame]; // Python has the frame all the same
      tell(answer.problem);
      return false;
    }
    if (answer.end) return end();
    if (answer.size) { // a frame of Python's own comes last
      const bitmap = await createImageBitmap(new Blob([bytesOf(buffers.at(-1))], { type: "image/jpeg" }));
      shown = { bitmap, size: answer.size };
    }
    shown.jpeg = null; // Python has it now
    const fresh = answer.frame !== last;
    last = answer.frame;
    const before = said;
    said = new Map(answer.targets.map((one) => [one.target, one]));
    for (const number of bands.keys()) if (!said.has(number)) bands.delete(number); // dropped meanwhile
    for (const one of answer.targets) {
      if (!bands.has(one.target)) bands.set(one.target, new ScoreBand(one.target, styles[one.target - 1].colour));
      if (fresh || one.drawn) bands.get(one.target).add(one);
    }
    report(answer, before);
    const own = answer.targets.findIndex((one) => one.target === chosen);
    showMap(answer.targets[own], buffers[own]);
    draw();
    return true;
  }

  function report(answer, before) {
    ticks = [...ticks, performance.now()].slice(-20);
    const rate = ticks.length > 2 ? ` · ${((1000 * (ticks.length - 1)) / (ticks.at(-1) - ticks[0])).toFixed(0)} frames/s` : "";
    const each = answer.targets.map((one) => `target ${one.target}, ${one.tracker}: ` +
      (one.drawn ? "box drawn" : `score ${figure(one.score ?? NaN)}, ${one.surety || "no threshold says whether it is sure"}, ${one.ms.toFixed(0)} ms`));
    readout.textContent = [`frame ${answer.frame}`, ...each].join(" · ") + rate;
    for (const one of answer.targets) { // read aloud when it changes, not in every frame
      const was = before.get(one.target)?.surety;
      if (one.surety && was !== undefined && was !== one.surety) voice.textContent = `target ${one.target} ${one.surety}${one.surety === "lost" ? ": draw its box again" : ""}`;
    }
    const lost = answer.targets.filter((one) => one.surety === "lost").map((one) => one.target);
    if (lost.length) readout.textContent += ` · lost: target ${lost.join(", ")}; draw its box again`;
  }

  function showMap(answer, bytes) {
    map.hidden = !answer?.shape;
    mapName.textContent = answer?.shape ? `score map, target ${answer.target}` : "this tracker has no score map, or none yet";
    if (answer?.shape) paintMap(map, bytesOf(bytes), ...answer.shape, bytesOf(model.get("palette")));
  }

  function draw() {
    if (!shown) return;
    cancelAnimationFrame(paintings);
    paintings = requestAnimationFrame(() => {
      if (!shown) return; // a new source is being opened
      paintFrame(canvas, shown.bitmap, shown.size);
      const absent = [NaN, NaN, NaN, NaN];
      const boxes = styles.map((_, k) => boxFor(k + 1) ?? absent);
      paintBoxes(canvas, boxes, shown.size, styles);
      if (!running && boxes[chosen - 1].every(Number.isFinite)) editor.paintCorners(styles[chosen - 1].colour);
      if (!running || performance.now() - charted > CHART_EVERY) drawChart();
    });
  }

  function drawChart() {
    charted = performance.now();
    const begun = [...bands.values()].filter((band) => band.answers.length);
    chart.innerHTML = begun.length ? bandsSvg(begun) : "";
  }

  async function download(kind) {
    pause();
    const [answer, buffers] = await patiently(ask({ do: "save", kind }));
    if (answer.problem) return tell(answer.problem);
    const address = URL.createObjectURL(new Blob([bytesOf(buffers[0])], { type: answer.type }));
    control("a", { href: address, download: answer.name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    tell(`Saved ${answer.name}.`);
  }

  model.on("msg:custom", onMessage);
  map.hidden = true;
  list();
  if (inKernel) begin(look, false); // another view of the widget may have begun
  return () => {
    model.off("msg:custom", onMessage);
    pause();
    open = false;
    source.close();
  };
}

export default { render };
