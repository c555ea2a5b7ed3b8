// Shared by the benches: the controls that Python names in `controls`, bound to the model's `values`.

/** A grid of sliders and lists for `model`; `draw` puts the model's values into them. */
function makeControls(model) {
  const grid = element("div", { class: "tc-settings" });
  let wanted = null; // values not sent yet: sliders move faster than Python answers
  const fields = new Map(model.get("controls").map((spec) => [spec.name, add(spec)]));

  function add(spec) {
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
    if (first) setTimeout(flush, 30); // changes in between are merged
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

  function draw() {
    for (const [name, { field, spec }] of fields) {
      const value = (wanted ?? {})[name] ?? model.get("values")[name];
      if (spec.options) field.selectedIndex = value;
      else field.value = value;
      label(name, value);
    }
  }

  return { grid, send, draw };
}
