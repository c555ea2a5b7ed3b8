// An image drawn by Python, and controls that change it. Used by every widget based on `bench.ImageBench`.

function render({ model, el }) {
  const image = element("img", { alt: model.get("alt"), class: "tc-image", draggable: "false" });
  const readout = element("p", { class: "tc-readout", role: "status" });
  const controls = makeControls(model);
  const help = element("p", { class: "tc-help" }, model.get("help"));
  const root = element("div", { class: "tc-widget tc-bench", role: "group", "aria-label": model.get("title") }, image, readout, controls.grid);
  if (model.get("help")) root.append(help);
  el.append(root);
  let address = null;

  let anchor = null; // where a drag began, as fractions of the image

  if (model.get("can_draw")) {
    image.classList.add("tc-draw");
    image.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      image.setPointerCapture(event.pointerId);
      anchor = place(event);
    });
    image.addEventListener("pointerup", (event) => {
      const end = place(event);
      if (anchor) { // a click is a drag of length 0; the widget decides what it means
        model.set("drawn", [...anchor, ...end]);
        model.save_changes();
      }
      anchor = null;
    });
    image.addEventListener("pointercancel", () => (anchor = null));
  }

  function place(event) {
    const page = image.getBoundingClientRect();
    return [(event.clientX - page.left) / page.width, (event.clientY - page.top) / page.height];
  }

  function drawImage() {
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([bytesOf(model.get("png"))], { type: "image/png" }));
    image.src = address;
    readout.textContent = model.get("readout");
  }

  const deaf = [listen(model, ["values"], controls.draw), listen(model, ["png", "readout"], drawImage)];
  controls.draw();
  drawImage();
  return () => {
    deaf.forEach((stop) => stop());
    if (address) URL.revokeObjectURL(address);
  };
}

export default { render };
