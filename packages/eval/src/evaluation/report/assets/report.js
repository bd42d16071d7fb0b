"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const columns = data.slotRow.length;
  const chosen = { scene: 0, slot: 0 };
  const element = (id) => document.getElementById(id);
  // Whole multiples of the images' size keep every pixel square.
  const multiple = (pixels) =>
    data.size > pixels ? pixels : data.size * Math.floor(pixels / data.size);
  const large = multiple(innerWidth < 640 ? 128 : innerWidth < 1100 ? 160 : 224);
  const small = multiple(64);
  const percent = (share) => (share > 0 && share < 0.005 ? "<1%" : Math.round(100 * share) + "%");
  const words = (entity) => entity.replace("_", " ").replace(/\d+/, (digits) => Number(digits) + 1);

  function make(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  // A picture of a scene's sheet: row 0 is the scene's, row k + 1 slot k's.
  function tile(scene, row, column, side, label) {
    const made = make("span", { className: "tile" });
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", label);
    made.dataset.place = `${row},${column}`;
    const rows = data.scenes[scene].slots.length + 1;
    made.style.cssText =
      `width:${side}px;height:${side}px;background-image:var(--sheet-${scene});` +
      `background-size:${columns * side}px ${rows * side}px;` +
      `background-position:${-column * side}px ${-row * side}px`;
    return made;
  }

  function captioned(scene, row, names, prefix) {
    return names.map((name, column) =>
      make("figure", {}, tile(scene, row, column, large, prefix + name),
        make("figcaption", { textContent: name })));
  }

  function radio(group, index, content, onchange) {
    const input = make("input", { type: "radio", name: group, id: `${group}-${index}`, onchange });
    const label = make("label", { htmlFor: input.id }, ...content);
    return [input, label];
  }

  function buildPicker() {
    let fieldset;
    data.scenes.forEach((scene, index) => {
      if (index === 0 || data.scenes[index - 1].group !== scene.group) {
        fieldset = make("fieldset", {}, make("legend", { textContent: scene.group }));
        element("picker").append(fieldset);
      }
      const picture = tile(index, 0, 0, small, `scene ${index + 1}, ${scene.group}`);
      fieldset.append(...radio("scene", index, [picture], () => choose(index, chosen.slot)));
    });
  }

  function showScene() {
    const scene = data.scenes[chosen.scene];
    const scores = Object.entries(scene.scores)
      .map(([name, value]) => `${name} ${value === null ? "–" : value.toFixed(2).replace("-", "−")}`);
    element("scene-title").textContent =
      `Scene ${chosen.scene + 1}: ${scene.group} (row ${scene.index} of ${scene.source}), ${scores.join(", ")}`;
    element("scene-row").replaceChildren(...captioned(chosen.scene, 0, data.topRow, ""));
    const focused = document.activeElement && document.activeElement.name === "slot";
    element("slots").replaceChildren(...scene.slots.flatMap((slot, index) => {
      const content = [
        tile(chosen.scene, index + 1, 0, small, `slot ${index + 1}`),
        make("b", { textContent: `slot ${index + 1}` }),
        slot.holds === null ? "empty" : percent(slot.area),
      ];
      const [input, label] = radio("slot", index, content, () => choose(chosen.scene, index));
      label.style.setProperty("--color", data.colors[index]);
      if (slot.holds === null) label.className = "empty";
      return [make("div", {}, input, label)];
    }));
    if (focused) element(`slot-${chosen.slot}`).focus();
  }

  function showSlot() {
    const slot = data.scenes[chosen.scene].slots[chosen.slot];
    element("slot-title").textContent = `Slot ${chosen.slot + 1}: ` + (slot.holds === null
      ? "empty here, no pixel is mostly its own"
      : `${percent(slot.area)} of the image, most of that ${words(slot.holds)}`);
    element("slot-row").replaceChildren(
      ...captioned(chosen.scene, chosen.slot + 1, data.slotRow, `slot ${chosen.slot + 1}, `));
    element(`slot-${chosen.slot}`).checked = true;
  }

  function choose(scene, slot, remember = true) {
    const another = scene !== chosen.scene || !element("scene-row").hasChildNodes();
    Object.assign(chosen, { scene, slot });
    element(`scene-${scene}`).checked = true;
    if (another) showScene();
    showSlot();
    if (remember) history.replaceState(null, "", `#scene=${scene + 1}&slot=${slot + 1}`);
  }

  // #scene=2&slot=1 opens the page at that place, counted from 1.
  function fromAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    const within = (name, count) => {
      const number = Number(given.get(name));
      return Number.isInteger(number) && number >= 1 && number <= count ? number - 1 : 0;
    };
    const scene = within("scene", data.scenes.length);
    choose(scene, within("slot", data.scenes[scene].slots.length), false);
    if (given.has("scene")) element("scenes").scrollIntoView();
  }

  data.scenes.forEach((scene, index) =>
    document.documentElement.style.setProperty(`--sheet-${index}`, `url(${scene.sheet})`));
  buildPicker();
  addEventListener("hashchange", fromAddress);
  fromAddress();
})();
