// The panel's knobs and single latents. Both hand on new latents while they are turned
// (`preview`), and once more when they are let go (`commit`).

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const number = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212");

function slider(name, low, high, step, { preview, commit }) {
  const value = make("span", { className: "value" });
  const input = make("input", { type: "range", min: low, max: high, step, ariaLabel: name });
  input.addEventListener("input", () => preview(Number(input.value)));
  input.addEventListener("change", () => commit());
  const label = make("label", {}, make("span", { textContent: name }), value);
  const show = (now, words) => {
    input.value = now;
    value.textContent = words;
    input.setAttribute("aria-valuetext", words);
  };
  return { parts: [label, input], input, show };
}

// `act.preview(z)` and `act.commit()` change the chosen slot; returns what shows a slot's latents.
function buildKnobs(place, controls, knobs, latents, act) {
  const shows = controls.map((control) => {
    const words = make("p", { className: "hint", textContent: control.words });
    const knob = make("div", { className: "knob" });
    place.append(knob);
    knob.dataset.knob = control.name;
    if (control.kind === "choice") return choiceKnob(knob, words, control, knobs, latents, act);
    if (control.kind === "hue") return hueKnob(knob, words, knobs, latents, act);
    if (control.kind === "range") return rangeKnob(knob, words, control, knobs, latents, act);
    knob.append(make("div", { className: "name", textContent: control.name }), words);
    return () => {};
  });
  return (z) => shows.forEach((show) => show(z));
}

function rangeKnob(knob, words, control, knobs, latents, act) {
  const { low, high, unit, target } = control;
  const turned = {
    preview: (value) => act.preview(knobs.set(latents(), { [target]: value })),
    commit: act.commit,
  };
  const { parts, show } = slider(control.name, low, high, (high - low) / 200, turned);
  knob.append(...parts, words);
  return (z) => {
    const value = knobs.read(z, target);
    show(value, `${number(value)}${unit && ` ${unit}`}`);
  };
}

function hueKnob(knob, words, knobs, latents, act) {
  const turned = {
    preview(degrees) {
      const angle = (degrees * Math.PI) / 180;
      act.preview(knobs.set(latents(), { "hue sine": Math.sin(angle), "hue cosine": Math.cos(angle) }));
    },
    commit: act.commit,
  };
  const { parts, show } = slider("hue", 0, 360, 1, turned);
  knob.append(...parts, make("div", { className: "hues" }), words);
  return (z) => {
    const angle = Math.atan2(knobs.read(z, "hue sine"), knobs.read(z, "hue cosine"));
    const degrees = ((angle * 180) / Math.PI + 360) % 360;
    show(degrees, `${degrees.toFixed(0)}°`);
  };
}

function choiceKnob(knob, words, control, knobs, latents, act) {
  const buttons = control.targets.map((target, index) => {
    const button = make("button", { textContent: control.labels[index] });
    button.addEventListener("click", () => {
      const values = control.targets.map((other) => [other, other === target ? 1 : 0]);
      act.preview(knobs.set(latents(), Object.fromEntries(values)));
      act.commit();
    });
    return button;
  });
  const bar = make("div", { className: "bar" }, ...buttons);
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", control.name);
  knob.append(make("div", { className: "name", textContent: control.name }), bar, words);
  return (z) => {
    const values = control.targets.map((target) => knobs.read(z, target));
    const highest = values.indexOf(Math.max(...values));
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", index === highest));
  };
}

const LATENT_SPAN = 3;

function buildLatents(place, { mean, deviation }, latents, act) {
  const shows = [...mean].map((middle, d) => {
    const turned = {
      preview(value) {
        const z = Float32Array.from(latents());
        z[d] = value;
        act.preview(z);
      },
      commit: act.commit,
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
  return (z) => shows.forEach((show, d) => show(z, d));
}
