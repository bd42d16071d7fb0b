// What can be done to slots, scenes and views.

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

// What the knobs turn.
const chosenSlot = {
  latents: () => chosenNow().z,
  centre: () => page.shown.centre,
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

// Returns latents z of a slot that is to go from a place by so many pixels.
function movedBy(z, from, by) {
  for (const [name, knob] of places) z = knob.moved(z, from[name], from[name] + by[name]);
  return z;
}

function move(across, down) {
  if (!places.size) return tell(`It cannot be moved. ${data.knobWords}`);
  chosenSlot.preview(movedBy(chosenNow().z, page.shown.centre, { across, down }));
  chosenSlot.commit();
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

function addressNow() {
  const { scene, chosen } = history_.state;
  return addressOf(scene, chosen, slotsOf(history_.state), originalsOf);
}

function remember() {
  const views = [addressNow(), ...kept];
  history.replaceState(null, "", `#view=${views.join("&kept=")}`);
}

function withView({ edited }, view) {
  const changed = view.slots.some((slot, k) => slot !== originalsOf(view.scene)[k]);
  const { [view.scene]: _, ...others } = edited;
  return {
    scene: view.scene, chosen: view.chosen,
    edited: changed ? { ...others, [view.scene]: view.slots } : others,
  };
}

const readView = (address) => viewOf(address, originalsOf, scenes.count);

// With `step` "replace" nothing is there to be undone: what the page begins with.
function fromAddress(step) {
  const given = location.hash.slice(1).split("&").map((part) => part.split("=", 2));
  const all = (key) => given.filter(([name]) => name === key).map(([, value]) => value ?? "");
  kept = all("kept").slice(0, MOST_KEPT).filter(readView);
  const views = all("view").map(readView);
  preview = null;
  if (views[0]) history_[step](withView(history_.state, views[0]));
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
      history_.add(withView(history_.state, view));
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
