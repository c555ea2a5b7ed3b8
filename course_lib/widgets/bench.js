// A picture that Python draws, and controls that change it. Used by every widget made on `bench.PictureBench`.

function render({ model, el }) {
  const picture = element("img", { alt: model.get("alt"), class: "tc-picture", draggable: "false" });
  const readout = element("p", { class: "tc-readout", role: "status" });
  const grid = element("div", { class: "tc-settings" });
  const fields = new Map(model.get("controls").map((spec) => [spec.name, addControl(spec)]));
  const help = element("p", { class: "tc-help" }, model.get("help"));
  const root = element("div", { class: "tc-widget tc-bench", role: "group", "aria-label": model.get("title") }, picture, readout, grid);
  if (model.get("help")) root.append(help);
  el.append(root);
  let address = null;
  let anchor = null; // where a drag began, in fractions of the picture
  let wanted = null; // values not sent yet: sliders move faster than Python draws

  if (model.get("can_draw")) {
    picture.classList.add("tc-draw");
    picture.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      picture.setPointerCapture(event.pointerId);
      anchor = place(event);
    });
    picture.addEventListener("pointerup", (event) => {
      const end = place(event);
      if (anchor) { // a click is a drag of no length; the widget says what it means
        model.set("drawn", [...anchor, ...end]);
        model.save_changes();
      }
      anchor = null;
    });
    picture.addEventListener("pointercancel", () => (anchor = null));
  }

  function place(event) {
    const page = picture.getBoundingClientRect();
    return [(event.clientX - page.left) / page.width, (event.clientY - page.top) / page.height];
  }

  function addControl(spec) {
    const shown = element("output");
    let field;
    if (spec.options) {
      field = control("select", { "aria-label": spec.label, change: () => send(spec.name, field.selectedIndex) });
      spec.options.forEach((option, k) => field.append(new Option(option, k)));
    } else {
      field = control("input", {
        type: "range", min: spec.low, max: spec.high, step: spec.step, "aria-label": spec.label,
        input: () => send(spec.name, Number(field.value)),
      });
    }
    grid.append(element("span", {}, spec.label), field, shown);
    return { field, shown, spec };
  }

  function send(name, value) {
    const first = wanted === null;
    wanted = { ...(wanted ?? {}), [name]: value };
    label(name, value);
    if (first) setTimeout(flush, 30); // what comes in between is merged
  }

  function flush() {
    model.set("values", { ...model.get("values"), ...wanted });
    wanted = null;
    model.save_changes();
  }

  function label(name, value) {
    const { field, shown, spec } = fields.get(name);
    if (spec.options) return;
    const digits = Math.max(0, Math.ceil(-Math.log10(spec.step)));
    shown.textContent = Number(value).toFixed(digits);
    field.setAttribute("aria-valuetext", shown.textContent);
  }

  function drawValues() {
    for (const [name, { field, spec }] of fields) {
      const value = (wanted ?? {})[name] ?? model.get("values")[name];
      if (spec.options) field.selectedIndex = value;
      else field.value = value;
      label(name, value);
    }
  }

  function drawPicture() {
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([bytesOf(model.get("png"))], { type: "image/png" }));
    picture.src = address;
    readout.textContent = model.get("readout");
  }

  const deaf = [listen(model, ["values"], drawValues), listen(model, ["png", "readout"], drawPicture)];
  drawValues();
  drawPicture();
  return () => {
    deaf.forEach((stop) => stop());
    if (address) URL.revokeObjectURL(address);
  };
}

export default { render };
