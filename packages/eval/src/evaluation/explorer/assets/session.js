// What is chosen and edited, and what the decoder and the loss make of it.

const { size } = data;
const scenes = readScenes(data);
const places = new Map(); // knobs of the place across and down the picture, where there are any
for (const knob of data.knobs)
  if (knob.kind === "place") places.set(knob.name, readKnob(knob, data.latentDim));
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
    use("plain", { reason: error.message });
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

const firstLosses = new Map(); // of the scenes as they were

function firstLossOf(scene) {
  const originals = originalsOf(scene);
  if (!firstLosses.has(scene)) firstLosses.set(scene, lossOf(originals, scene, composed(originals)));
  return firstLosses.get(scene);
}

const LOSS_WORDS = {
  nll: "NLL, slots mixed by the attention’s masks",
  latents: "β KL of latents",
  masks: "γ KL of masks",
  total: "loss: the sum of these",
  nllAsDrawn: "NLL, slots mixed as drawn, by decoded masks",
};

// Where a slot is in the picture, in pixels: the centre of what it has most of, or, where that is
// nothing, of its shares; the middle where a slot has none.
function centreOf(shares) {
  const sums = [0, 0, 0];
  const most = shares.some((share) => share > 0.5);
  shares.forEach((share, pixel) => {
    if (most && share <= 0.5) return;
    sums[0] += share;
    sums[1] += share * ((pixel % size) + 0.5);
    sums[2] += share * (Math.floor(pixel / size) + 0.5);
  });
  return sums[0] ? { across: sums[1] / sums[0], down: sums[2] / sums[0] } : { across: size / 2, down: size / 2 };
}

// Has a decoder run from now on. Unless somebody chose it, WebGL2 runs on a GPU only: drawn in
// software it takes ten times as long as plain JavaScript.
function use(word, { reason = "", chosen = false } = {}) {
  const weights = decoderWeights({ ...data.decoder, size, latentDim: data.latentDim });
  const lose = () => {
    decoders.delete("webgl");
    use("plain", { reason: "the browser took it away" });
    showAll();
  };
  try {
    if (!decoders.has(word))
      decoders.set(word, word === "plain" ? plainDecoder(weights) : webglDecoder(weights, lose, !chosen));
    decoder = decoders.get(word);
  } catch (error) {
    if (word === "plain") throw error;
    return use("plain", { reason: error.message });
  }
  decoded = new WeakMap();
  redraws = [];
  element("engine").value = word;
  element("engine-words").textContent = `${decoder.name} runs.${reason && ` WebGL2 does not: ${reason}.`}`;
  element("speed").textContent = "";
}

