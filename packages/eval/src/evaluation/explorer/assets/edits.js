// What has been done to scenes. A slot is never changed but replaced, so that every earlier state
// stays as it was: { scene, slot, z, offset, present }, where scene and slot say whose it was.

const STEPS_OF_ONE = 4096; // edited latents are multiples of this, so that addresses hold them exactly
const MOST_COPIES = 24;
const MOST_OFFSET = 60; // nats added to a mask's logits
const MOST_KEPT = 24;

function rounded(z) {
  return Float32Array.from(z, (value) =>
    Math.min(32767, Math.max(-32768, Math.round(value * STEPS_OF_ONE))) / STEPS_OF_ONE);
}

function sameLatents(one, other) {
  return one === other || one.every((value, d) => value === other[d]);
}

// The states in their order, of which one is shown.
function newHistory(first) {
  let states = [first];
  let now = 0;
  return {
    get state() { return states[now]; },
    get canUndo() { return now > 0; },
    get canRedo() { return now < states.length - 1; },
    add(state) {
      states = [...states.slice(0, now + 1), state];
      now = states.length - 1;
    },
    replace(state) { states[now] = state; }, // for what is no edit, such as another slot in view
    undo() { if (now > 0) now--; },
    redo() { if (now < states.length - 1) now++; },
  };
}

// Addresses: SCENE.SLOT, and an item for each slot that is not as it was, all counted from 1:
// `2:z…:o4` changed, `3:x` deleted, `c7.1:z…:o4` copied from slot 1 of scene 7.
function addressOf(scene, chosen, slots, originalsOf) {
  const originals = originalsOf(scene);
  const items = slots.flatMap((slot, k) => {
    const own = k < originals.length;
    if (own && slot === originals[k]) return [];
    if (!slot.present) return own ? [`${k + 1}:x`] : [];
    const z = sameLatents(slot.z, originalsOf(slot.scene)[slot.slot].z) ? "" : `:z${latentsAsText(slot.z)}`;
    const offset = slot.offset ? `:o${slot.offset}` : "";
    return [(own ? k + 1 : `c${slot.scene + 1}.${slot.slot + 1}`) + z + offset];
  });
  const places = slots.map((slot, k) => k < originals.length || slot.present);
  const shown = places.slice(0, chosen + 1).filter(Boolean).length; // deleted copies are no more
  return [`${scene + 1}.${shown}`, ...items].join(",");
}

// Returns { scene, chosen, slots } of an address, or null where it is none of this page.
function viewOf(address, originalsOf, sceneCount) {
  const [place, ...items] = address.split(",");
  const [, scene, chosen] = /^(\d{1,6})\.(\d{1,4})$/.exec(place) ?? [];
  if (!(scene >= 1 && scene <= sceneCount)) return null;
  const originals = originalsOf(scene - 1);
  const slots = [...originals];
  for (const item of items) {
    const [, source, copied, number, letter, z, offset] =
      /^((?:c(\d{1,6})\.)?(\d{1,4}))(:x)?(?::z([\w-]+))?(?::o(-?\d{1,2}))?$/.exec(item) ?? [];
    if (source === undefined || (copied && !(copied >= 1 && copied <= sceneCount))) return null;
    const original = copied ? originalsOf(copied - 1)[number - 1] : originals[number - 1];
    const latents = z === undefined ? original?.z : latentsFromText(z);
    if (!original || latents?.length !== original.z.length || Math.abs(offset ?? 0) > MOST_OFFSET) return null;
    const slot = { ...original, z: latents, offset: Number(offset ?? 0), present: !letter };
    if (!copied) slots[number - 1] = slot;
    else if (slots.length < originals.length + MOST_COPIES) slots.push(slot);
  }
  if (!(chosen >= 1 && chosen <= slots.length) || !slots.some((slot) => slot.present)) return null;
  return { scene: scene - 1, chosen: chosen - 1, slots };
}

function latentsAsText(z) {
  const bytes = new Uint8Array(Int16Array.from(z, (value) => value * STEPS_OF_ONE).buffer);
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function latentsFromText(text) {
  try {
    const bytes = bytesOf(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Float32Array.from(new Int16Array(bytes.buffer), (value) => value / STEPS_OF_ONE);
  } catch {
    return null; // no base64, or half a number
  }
}
