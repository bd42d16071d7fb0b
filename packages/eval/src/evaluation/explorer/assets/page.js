// The pointer, the keys and the buttons; and the beginning.

let drag = null;

function pixelAt(event) {
  const box = element("outline").getBoundingClientRect();
  const at = (value, start, length) => Math.min(size - 1, Math.max(0, ((value - start) / length) * size));
  return [at(event.clientX, box.left, box.width), at(event.clientY, box.top, box.height)];
}

function listenToPicture(canvas) {
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    const [x, y] = pixelAt(event);
    choose(page.shown.labels[Math.floor(y) * size + Math.floor(x)]);
    tell(`${nameOf(chosenNow(), history_.state.chosen)} is taken.`);
    drag = { pointer: event.pointerId, x, y, z: chosenNow().z, from: page.shown.centre };
    redraws = [];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    const [x, y] = pixelAt(event);
    if (!places.size) return tell(`It cannot be moved. ${data.knobWords}`);
    const by = { across: x - drag.x, down: y - drag.y };
    if (preview || Math.hypot(by.across, by.down) > 0.5)
      chosenSlot.preview(movedBy(drag.z, drag.from, by));
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, () => {
      if (drag && preview) chosenSlot.commit();
      drag = null;
    });
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const arrow = arrows[event.key];
    if (!arrow || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    move(...arrow.map((step) => step * (event.shiftKey ? 4 : 1)));
  });
}

function listenToKeys() {
  addEventListener("keydown", (event) => {
    const typing = ["INPUT", "SELECT"].includes(event.target.tagName) && event.target.type !== "radio";
    if (event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      const step = { z: event.shiftKey ? "redo" : "undo", y: "redo" }[event.key.toLowerCase()];
      if (step) { event.preventDefault(); travel(step); }
    } else if (!typing) {
      if (event.key === "o") compareWith(true);
      if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); toggle(); }
      if (event.key === "[") raise(-data.offsetStep);
      if (event.key === "]") raise(data.offsetStep);
      if (/^[1-9]$/.test(event.key) && Number(event.key) <= slotsNow().length) choose(Number(event.key) - 1);
    }
  });
  addEventListener("keyup", (event) => { if (event.key === "o") compareWith(false); });
  addEventListener("blur", () => compareWith(false));
}

function listenToButtons() {
  const clicks = {
    undo: () => travel("undo"),
    redo: () => travel("redo"),
    reset: () => {
      const { state } = history_;
      const { [state.scene]: _, ...others } = state.edited;
      preview = null;
      history_.add({ ...state, chosen: Math.min(state.chosen, originalsOf(state.scene).length - 1), edited: others });
      remember();
      showAll();
      tell("The scene is as the model had it.");
    },
    keep: keepView,
    save: savePicture,
    delete: toggle,
    forward: () => raise(data.offsetStep),
    backward: () => raise(-data.offsetStep),
    copy: () => copyTo(Number(element("copy-to").value)),
  };
  for (const [id, click] of Object.entries(clicks)) element(id).addEventListener("click", click);
  element("latent-fold").addEventListener("toggle", showAll);
  const compare = element("compare");
  compare.addEventListener("pointerdown", () => compareWith(true));
  for (const end of ["pointerup", "pointerleave", "pointercancel"])
    compare.addEventListener(end, () => compareWith(false));
  compare.addEventListener("keydown", (event) => { if (event.key === " ") compareWith(true); });
  compare.addEventListener("keyup", (event) => { if (event.key === " ") compareWith(false); });
}

function buildPicker() {
  data.scenes.forEach((_, index) => {
    const input = make("input", { type: "radio", name: "scene", id: `scene-${index}` });
    input.addEventListener("change", () => goTo(index));
    const canvas = make("canvas");
    paintPicture(canvas, size, scenes.sceneAt(index).image);
    element("scenes").append(make("div", {}, input,
      make("label", { htmlFor: input.id, ariaLabel: `scene ${index + 1}` }, canvas, `${index + 1}`)));
    element("copy-to").append(make("option", { value: index, textContent: index + 1 }));
  });
}

// What the page shows, for tests and for who is curious: explorer.decode(z), explorer.shown.
const page = {
  decode: (z) => Array.from(decode(z)),
  use(word) {
    use(word, { chosen: true });
    showAll();
  },
  get state() { return history_.state; },
  get redraws() { return redraws; },
};
window.explorer = page;

const showKnobs = buildKnobs(element("knobs"), data.knobs, data.latentDim, chosenSlot);
const spread = { mean: floatsOf(data.latentMean), deviation: floatsOf(data.latentDeviation) };
const showLatents = buildLatents(element("latents"), spread, chosenSlot);
for (const [value, textContent] of [["webgl", "WebGL2"], ["plain", "plain JavaScript"]])
  element("engine").append(make("option", { value, textContent }));
element("engine").addEventListener("change", (event) => page.use(event.target.value));
use("webgl");
buildPicker();
listenToPicture(element("outline"));
listenToKeys();
listenToButtons();
addEventListener("hashchange", () => fromAddress("add"));
fromAddress("replace");
