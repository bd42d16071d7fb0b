// The panel's knobs and single latents.

const number = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212");

function slider(name, low, high, step, { preview, commit }) {
  const value = make("span", { className: "value" });
  const input = make("input", { type: "range", min: low, max: high, step, ariaLabel: name });
  let held = false; // the thumb stays under the finger, and settles on what came of it afterwards
  input.addEventListener("input", () => {
    held = true;
    preview(Number(input.value));
  });
  input.addEventListener("change", () => {
    held = false;
    commit();
  });
  const label = make("label", {}, make("span", { textContent: name }), value);
  const show = (now, words) => {
    if (!held) input.value = now;
    value.textContent = words;
    input.setAttribute("aria-valuetext", words);
  };
  return { parts: [label, input], input, show };
}

// Builds the knobs in `place`. `slot` tells the chosen slot's `latents()` and `centre()`, takes
// other latents (`preview(z)`), and keeps them (`commit()`). Returns what shows the slot anew.
function buildKnobs(place, all, latentDim, slot) {
  const shows = all.map((data) => {
    const words = make("p", { className: "hint", textContent: data.words });
    const knob = make("div", { className: "knob" });
    knob.dataset.knob = data.name;
    place.append(knob);
    if (data.kind === "none") {
      knob.append(make("div", { className: "name", textContent: data.name }), words);
      return () => {};
    }
    const build = data.kind === "choice" ? choiceKnob : rangeKnob;
    return build(knob, words, data, readKnob(data, latentDim), slot);
  });
  return () => shows.forEach((show) => show());
}

// What a knob's value is now: a place as the decoded mask shows it, all else as it is read.
function valueOf(data, knob, slot) {
  if (data.kind === "place") return slot.centre()[data.name];
  const [one, other] = knob.read(slot.latents());
  return data.kind === "hue" ? ((Math.atan2(one, other) * 180) / Math.PI + 360) % 360 : one;
}

function rangeKnob(knob, words, data, turns, slot) {
  let start = null; // what the slot was before the thumb moved
  const turned = {
    preview(value) {
      start ??= { z: slot.latents(), value: valueOf(data, turns, slot) };
      slot.preview(turns.moved(start.z, start.value, value));
    },
    commit() {
      start = null;
      slot.commit();
    },
  };
  const digits = data.kind === "hue" ? 0 : data.kind === "place" ? 1 : 2;
  const { parts, show } = slider(data.name, turns.low, turns.high, (turns.high - turns.low) / 360, turned);
  const hues = data.kind === "hue" ? [make("div", { className: "hues" })] : [];
  knob.append(...parts, ...hues, words);
  return () => {
    const value = valueOf(data, turns, slot);
    show(value, `${number(value, digits)}${data.unit === "°" ? "" : " "}${data.unit}`);
  };
}

function choiceKnob(knob, words, data, turns, slot) {
  const now = () => {
    const values = turns.read(slot.latents());
    return values.indexOf(Math.max(...values));
  };
  const buttons = data.labels.map((label, index) => {
    const button = make("button", { textContent: label });
    button.addEventListener("click", () => {
      slot.preview(turns.moved(slot.latents(), now(), index));
      slot.commit();
    });
    return button;
  });
  const bar = make("div", { className: "bar" }, ...buttons);
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", data.name);
  knob.append(make("div", { className: "name", textContent: data.name }), bar, words);
  return () => buttons.forEach((button, index) => button.setAttribute("aria-pressed", index === now()));
}

const LATENT_SPAN = 3;

function buildLatents(place, { mean, deviation }, slot) {
  const shows = [...mean].map((middle, d) => {
    const turned = {
      preview(value) {
        const z = Float32Array.from(slot.latents());
        z[d] = value;
        slot.preview(z);
      },
      commit: slot.commit,
    };
    const { parts, input, show } = slider(`latent ${d}`, -LATENT_SPAN, LATENT_SPAN, 1 / 64, turned);
    input.dataset.latent = d;
    const left = (value) => 100 * Math.min(1, Math.max(0, (value + LATENT_SPAN) / (2 * LATENT_SPAN)));
    const band = make("i");
    const [low, high] = [left(middle - deviation[d]), left(middle + deviation[d])];
    band.style.cssText = `left:${low}%;width:${high - low}%`;
    const tick = make("b");
    tick.style.left = `${left(middle)}%`;
    const marks = make("div", { className: "marks", title: `mean ${number(middle)}, deviation ${number(deviation[d])}` }, band, tick);
    place.append(make("div", { className: "knob" }, ...parts, marks));
    return (z) => show(z[d], number(z[d]));
  });
  return () => shows.forEach((show) => show(slot.latents()));
}
