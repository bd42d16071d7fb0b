// What is shown of the session, and where.

function show() {
  const started = performance.now();
  const { scene, chosen } = history_.state;
  const slots = comparing ? originalsOf(scene) : slotsNow();
  const parts = composed(slots);
  const source = scenes.sceneAt(scene);
  const labels = largestOf(parts.shares, scenes.pixels).map((at) => parts.present[at]);
  paintPicture(element("picture"), size, parts.picture);
  outline(element("outline"), size, labels, comparing ? null : chosen);
  paintError(element("error"), size, errorOf(source.image, parts.picture));
  paintLabels(element("segmentation"), size, labels, slots.map(scenes.colorOf));
  page.shown = { slots, parts, labels, centre: centreOf(shareOf(parts, chosen) ?? new Float32Array(scenes.pixels)) };
  showSlots(slots, parts);
  showChosen(slots, parts);
  showLoss(scene, slots, parts);
  showKnobs();
  if (element("latent-fold").open) showLatents();
  redraws = [...redraws.slice(-59), performance.now() - started];
}

function showLoss(scene, slots, parts) {
  const was = firstLossOf(scene);
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
    if (preview && k !== history_.state.chosen) return; // the others follow when the slot is let go
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
  if (!preview) {
    paintShares(element("attention"), size, source.logMasks[slot.slot].map(Math.exp));
    paintShares(element("refined"), size, source.refined[slot.slot]);
  }
  element("offset").textContent = slot.offset ? `logits ${slot.offset > 0 ? "+" : "\u2212"}${Math.abs(slot.offset)}` : "";
  element("delete").textContent = slot.present ? "Delete" : "Put back";
}

function showScene() {
  const { scene } = history_.state;
  element("scene-title").textContent = `Scene ${scene + 1} (row ${data.scenes[scene].row} of ${data.file})`;
  element(`scene-${scene}`).checked = true;
  element("copy-to").value = scene;
  const { image, truth } = scenes.sceneAt(scene);
  paintPicture(element("image"), size, image);
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
