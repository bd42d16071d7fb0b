// The page: what is chosen and edited, and what of it is shown where.

const element = (id) => document.getElementById(id);
const data = JSON.parse(element("data").textContent);
const { size } = data;
const scenes = readScenes(data);
const knobs = data.knobs && readKnobs(data.knobs);
const decoders = new Map(); // by the word in the select
let decoder;
let decoded = new WeakMap(); // by latents: only what changes is decoded again

const history_ = newHistory({ scene: 0, chosen: 0, edited: {} });
let kept = []; // addresses of views
let preview = null; // slots while something is dragged or turned
let comparing = false;
let redraws = []; // milliseconds of the last ones

const originalsOf = (scene) => scenes.sceneAt(scene).originals;
const slotsOf = ({ scene, edited }) => edited[scene] ?? originalsOf(scene);
const slotsNow = () => preview ?? slotsOf(history_.state);
const chosenNow = () => slotsNow()[history_.state.chosen];

function decodedOf(slot) {
  if (!decoded.has(slot.z)) decoded.set(slot.z, decode(slot.z));
  return decoded.get(slot.z);
}

function decode(z) {
  try {
    return decoder.decode(z);
  } catch (error) {
    if (decoder === decoders.get("plain")) throw error;
    use("plain", error.message);
    return decoder.decode(z);
  }
}

// What slots come to: shares of the present ones by their number, and the picture.
function composed(slots) {
  const present = slots.flatMap((slot, k) => (slot.present ? [k] : []));
  const maps = present.map((k) => decodedOf(slots[k]));
  const result = compose(maps, present.map((k) => slots[k].offset), scenes.pixels);
  return { ...result, present, maps };
}

// Terms of the loss; NaN where the attention has no masks for these slots.
function lossOf(slots, scene, parts) {
  const { image, logMasks, originals } = scenes.sceneAt(scene);
  const own = parts.present.length === originals.length && slots.length === parts.present.length;
  const { sigmaBackground, sigmaForeground, beta, gamma } = data.loss;
  const sigmas = parts.present.map((k) => (k === 0 ? sigmaBackground : sigmaForeground));
  const nll = own ? negativeLogLikelihood(image, parts.maps, logMasks, sigmas) : NaN;
  const latents = parts.present.reduce((sum, k) => {
    const { scene: from, slot, z } = slots[k];
    return sum + latentDivergence(z, scenes.sceneAt(from).logSigma[slot]);
  }, 0);
  const masks = own ? maskDivergence(logMasks, parts.logShares) : NaN;
  return {
    nll, latents: beta * latents, masks: gamma * masks,
    total: nll + beta * latents + gamma * masks,
    nllAsDrawn: negativeLogLikelihood(image, parts.maps, parts.logShares, sigmas),
  };
}

const LOSS_WORDS = {
  nll: "NLL, slots mixed by the attention’s masks",
  latents: "β KL of latents",
  masks: "γ KL of masks",
  total: "loss: the sum of these",
  nllAsDrawn: "NLL, slots mixed as drawn, by decoded masks",
};

// --- What is shown ---

function show() {
  const started = performance.now();
  const { scene, chosen } = history_.state;
  const slots = comparing ? originalsOf(scene) : slotsNow();
  const parts = composed(slots);
  const source = scenes.sceneAt(scene);
  const labels = largestOf(parts.shares, scenes.pixels).map((at) => parts.present[at]);
  paintPicture(element("picture"), size, parts.picture);
  outline(element("outline"), size, labels, comparing ? null : chosen);
  paintPicture(element("image"), size, source.image);
  paintError(element("error"), size, errorOf(source.image, parts.picture));
  paintLabels(element("segmentation"), size, labels, slots.map(scenes.colorOf));
  showSlots(slots, parts);
  showChosen(slots, parts);
  showLoss(scene, slots, parts);
  page.shown = { slots, parts, labels };
  redraws = [...redraws.slice(-59), performance.now() - started];
}

function showLoss(scene, slots, parts) {
  const was = lossOf(originalsOf(scene), scene, composed(originalsOf(scene)));
  const now = lossOf(slots, scene, parts);
  page.loss = { was, now };
  const cell = (value) => make("td", { textContent: Number.isNaN(value) ? "–" : number(value, 1) });
  element("loss").tBodies[0].replaceChildren(...Object.entries(LOSS_WORDS).map(([term, words]) =>
    make("tr", {}, make("th", { scope: "row", textContent: words }), cell(was[term]), cell(now[term]))));
  element("loss-note").textContent = Number.isNaN(now.total)
    ? "–: the attention has made no masks for this set of slots, so equation 3 is not defined."
    : "";
}

function shareOf(parts, k) {
  const at = parts.present.indexOf(k);
  return at < 0 ? null : parts.shares[at];
}

function percent(share) {
  return share > 0 && share < 0.005 ? "<1%" : `${Math.round(100 * share)}%`;
}

function nameOf(slot, k) {
  const copied = k >= originalsOf(history_.state.scene).length;
  return `Slot ${k + 1}${copied ? `, copy of slot ${slot.slot + 1} of scene ${slot.scene + 1}` : ""}`;
}

let cards = [];

function showSlots(slots, parts) {
  if (cards.length !== slots.length || cards.scene !== history_.state.scene) buildCards(slots);
  slots.forEach((slot, k) => {
    const { card, input, masked, alone, words } = cards[k];
    const shares = shareOf(parts, k);
    paintComponent(masked, size, decodedOf(slot), shares ?? new Float32Array(scenes.pixels));
    paintComponent(alone, size, decodedOf(slot), null);
    card.classList.toggle("absent", !slot.present);
    words.textContent = slot.present ? percent(meanOf(shares)) : "deleted";
    input.checked = k === history_.state.chosen;
  });
}

function buildCards(slots) {
  const focused = document.activeElement?.name === "slot";
  cards = slots.map((slot, k) => {
    const input = make("input", { type: "radio", name: "slot", id: `slot-${k}` });
    input.addEventListener("change", () => choose(k));
    const [masked, alone] = [make("canvas"), make("canvas")];
    const words = make("span");
    const holds = scenes.holdsOf(slot);
    const card = make("label", { htmlFor: input.id }, make("span", { className: "pair" }, masked, alone),
      make("b", { textContent: nameOf(slot, k) }), ...(holds ? [`${holds}, `] : []), words);
    card.style.setProperty("--color", scenes.colorOf(slot));
    return { card, input, masked, alone, words };
  });
  cards.scene = history_.state.scene;
  element("slots").replaceChildren(...cards.map(({ card, input }) => make("div", {}, input, card)));
  if (focused) cards[history_.state.chosen].input.focus();
}

function showChosen(slots, parts) {
  const k = Math.min(history_.state.chosen, slots.length - 1);
  const slot = slots[k];
  const source = scenes.sceneAt(slot.scene);
  const none = new Float32Array(scenes.pixels);
  const shares = shareOf(parts, k) ?? none;
  element("slot-title").textContent = nameOf(slot, k);
  paintComponent(element("masked"), size, decodedOf(slot), shares);
  paintComponent(element("unmasked"), size, decodedOf(slot), null);
  paintShares(element("decoded-mask"), size, shares);
  paintShares(element("attention"), size, source.logMasks[slot.slot].map(Math.exp));
  paintShares(element("refined"), size, source.refined[slot.slot]);
  element("offset").textContent = slot.offset ? `logits ${slot.offset > 0 ? "+" : "\u2212"}${Math.abs(slot.offset)}` : "";
  element("delete").textContent = slot.present ? "Delete" : "Put back";
  showKnobs(slot.z);
  showLatents(slot.z);
}

function showScene() {
  const { scene } = history_.state;
  const { row, file } = { row: data.scenes[scene].row, file: data.file };
  element("scene-title").textContent = `Scene ${scene + 1} (row ${row} of ${file})`;
  element(`scene-${scene}`).checked = true;
  element("copy-to").value = scene;
  const { truth } = scenes.sceneAt(scene);
  element("truth").closest("figure").hidden = !truth;
  if (truth) paintLabels(element("truth"), size, truth, data.entityColors);
}

function showAll() {
  showScene();
  show();
  element("undo").disabled = !history_.canUndo;
  element("redo").disabled = !history_.canRedo;
  element("reset").disabled = !history_.state.edited[history_.state.scene];
}

function tell(words) {
  element("status").textContent = words;
}

// --- What is done ---

function choose(chosen) {
  history_.replace({ ...history_.state, chosen });
  remember();
  showAll();
}

function goTo(scene, chosen = 0) {
  history_.replace({ ...history_.state, scene, chosen });
  remember();
  showAll();
}

// Adds a state in which the shown scene has these slots.
function edit(slots, change = {}) {
  const { state } = history_;
  const edited = { ...state.edited, [state.scene]: slots };
  preview = null;
  history_.add({ ...state, edited, ...change });
  remember();
  showAll();
}

function withChosen(changes) {
  const { chosen } = history_.state;
  return slotsNow().map((slot, k) => (k === chosen ? { ...slot, ...changes } : slot));
}

const act = {
  preview(z) {
    preview = withChosen({ z: rounded(z) });
    requestShow();
  },
  commit() {
    if (preview) edit(preview);
    showSpeed();
  },
};

let requested = false;

function requestShow() {
  if (requested) return;
  requested = true;
  requestAnimationFrame(() => {
    requested = false;
    show();
  });
}

function showSpeed() {
  const sorted = [...redraws].sort((one, other) => one - other);
  const middle = sorted[sorted.length >> 1];
  element("speed").textContent = `The picture and its terms are redrawn in ${number(middle, 0)} ms.`;
}

function move(across, down) {
  if (!knobs?.has("across", "down")) return tell(data.knobWords);
  act.preview(knobs.moved(chosenNow().z, { across, down }));
  act.commit();
}

function toggle() {
  const slot = chosenNow();
  if (slot.present && slotsNow().filter((one) => one.present).length === 1)
    return tell("This is the last slot: without any there is no picture.");
  edit(withChosen({ present: !slot.present }));
  tell(slot.present
    ? `${nameOf(slot, history_.state.chosen)} is deleted: the others share its pixels.`
    : `${nameOf(slot, history_.state.chosen)} is there again.`);
}

function raise(by) {
  const offset = Math.min(MOST_OFFSET, Math.max(-MOST_OFFSET, chosenNow().offset + by));
  edit(withChosen({ offset }));
  tell(`${nameOf(chosenNow(), history_.state.chosen)}: ${offset < 0 ? "\u2212" : "+"}${Math.abs(offset)} on its mask’s logits.`);
}

function copyTo(scene) {
  const slot = { ...chosenNow(), present: true };
  const { state } = history_;
  const slots = slotsOf({ ...state, scene });
  if (slots.length >= originalsOf(scene).length + MOST_COPIES)
    return tell(`A scene takes ${MOST_COPIES} copies at most.`);
  preview = null;
  history_.add({ scene, chosen: slots.length, edited: { ...state.edited, [scene]: [...slots, slot] } });
  remember();
  showAll();
  tell(`Slot ${slots.length + 1} of scene ${scene + 1} is a copy. ` +
    (scene === state.scene ? "It lies where the original is until it is moved." : "Undo takes it away."));
}

function travel(step) {
  preview = null;
  history_[step]();
  remember();
  showAll();
  tell(step === "undo" ? "Undone." : "Done again.");
}

function compareWith(original) {
  if (comparing === original) return;
  comparing = original;
  element("compare").setAttribute("aria-pressed", original);
  show();
}

function savePicture() {
  const large = make("canvas", { width: 8 * size, height: 8 * size });
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(element("picture"), 0, 0, large.width, large.height);
  const name = `scene_${data.scenes[history_.state.scene].row}.png`;
  make("a", { download: name, href: large.toDataURL("image/png") }).click();
}

// --- The address, and kept views ---

function addressNow() {
  const { scene, chosen } = history_.state;
  return addressOf(scene, chosen, slotsOf(history_.state), originalsOf(scene));
}

function remember() {
  const views = [addressNow(), ...kept];
  history.replaceState(null, "", `#view=${views.join("&kept=")}`);
}

function openView(view) {
  const { edited } = history_.state;
  const changed = view.slots.some((slot, k) => slot !== originalsOf(view.scene)[k]);
  const { [view.scene]: _, ...others } = edited;
  history_.add({
    scene: view.scene, chosen: view.chosen,
    edited: changed ? { ...others, [view.scene]: view.slots } : others,
  });
}

const readView = (address) => viewOf(address, originalsOf, scenes.count);

function fromAddress() {
  const given = location.hash.slice(1).split("&").map((part) => part.split("=", 2));
  const all = (key) => given.filter(([name]) => name === key).map(([, value]) => value ?? "");
  kept = all("kept").slice(0, MOST_KEPT).filter(readView);
  const views = all("view").map(readView);
  preview = null;
  if (views[0]) openView(views[0]);
  remember();
  showGallery();
  showAll();
  if (views.length && !views[0]) tell("The address holds a view that this page does not have.");
}

function showGallery() {
  element("gallery").replaceChildren(...kept.map((address, index) => {
    const view = readView(address);
    const canvas = make("canvas");
    paintPicture(canvas, size, composed(view.slots).picture);
    const open = make("button", { textContent: `Open view ${index + 1}` });
    open.addEventListener("click", () => {
      openView(view);
      remember();
      showAll();
    });
    const drop = make("button", { textContent: "Drop" });
    drop.addEventListener("click", () => {
      kept = kept.filter((_, other) => other !== index);
      remember();
      showGallery();
    });
    return make("figure", {}, canvas, make("figcaption", { textContent: `scene ${view.scene + 1}` }), open, drop);
  }));
  element("gallery-section").hidden = kept.length === 0;
  element("keep").disabled = kept.length >= MOST_KEPT;
}

function keepView() {
  kept = [...kept, addressNow()];
  remember();
  showGallery();
  tell("Kept below, and in this page’s address.");
}

// --- The decoder ---

function use(word, reason = "") {
  const weights = decoderWeights({ ...data.decoder, size, latentDim: data.latentDim });
  const makers = {
    webgl: () => webglDecoder(weights, () => { decoders.delete("webgl"); use("plain", "the browser took WebGL2 away"); showAll(); }),
    plain: () => plainDecoder(weights),
  };
  try {
    if (!decoders.has(word)) decoders.set(word, makers[word]());
    decoder = decoders.get(word);
  } catch (error) {
    if (word === "plain") throw error;
    return use("plain", error.message);
  }
  decoded = new WeakMap();
  redraws = [];
  element("engine").value = word;
  element("engine-words").textContent = `${decoder.name} runs.${reason && ` WebGL2 does not: ${reason}.`}`;
  element("speed").textContent = "";
}

// --- The picture under the pointer ---

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
    drag = { pointer: event.pointerId, x, y, z: chosenNow().z };
    redraws = [];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    const [x, y] = pixelAt(event);
    if (!knobs?.has("across", "down")) return tell(data.knobWords);
    if (preview || Math.hypot(x - drag.x, y - drag.y) > 0.5)
      act.preview(knobs.moved(drag.z, { across: x - drag.x, down: y - drag.y }));
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, () => {
      if (drag && preview) act.commit();
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

const latentsNow = () => chosenNow().z;
// What the page shows, for tests and for who is curious: explorer.decode(z), explorer.shown.
const page = {
  decode: (z) => Array.from(decode(z)),
  use(word) { use(word); showAll(); },
  get state() { return history_.state; },
  get redraws() { return redraws; },
};
window.explorer = page;

const showKnobs = knobs ? buildKnobs(element("knobs"), data.knobs.controls, knobs, latentsNow, act) : () => {};
const spread = { mean: floatsOf(data.latentMean), deviation: floatsOf(data.latentDeviation) };
const showLatents = buildLatents(element("latents"), spread, latentsNow, act);
for (const [word, name] of [["webgl", "WebGL2"], ["plain", "plain JavaScript"]])
  element("engine").append(make("option", { value: word, textContent: name }));
element("engine").addEventListener("change", (event) => page.use(event.target.value));
use("webgl");
buildPicker();
listenToPicture(element("outline"));
listenToKeys();
listenToButtons();
addEventListener("hashchange", fromAddress);
fromAddress();
