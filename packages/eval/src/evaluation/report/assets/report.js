const several = data.models.length > 1;
const chosen = { scene: -1, model: 0, slot: 0 };
// Whole multiples of the images' size keep every pixel square.
const multiple = (pixels) =>
  data.size > pixels ? pixels : data.size * Math.floor(pixels / data.size);
const large = multiple(innerWidth < 640 ? 128 : 192);
const middle = multiple(128);
const small = multiple(64);
const percent = (share) => (share > 0 && share < 0.005 ? "<1%" : Math.round(100 * share) + "%");
const words = (entity) => entity.replaceAll("_", " "); // numbered from 0, as in the file

// A picture of a sheet of so many columns and rows, which a variable of the page's style holds.
function tile(sheet, columns, rows, row, column, side, label) {
  const made = make("span", { className: "tile" });
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", label);
  made.dataset.place = `${row},${column}`;
  made.style.cssText =
    `width:${side}px;height:${side}px;background-image:var(--${sheet});` +
    `background-size:${columns * side}px ${rows * side}px;` +
    `background-position:${-column * side}px ${-row * side}px`;
  return made;
}

function image(scene, column, side, label) {
  return tile(`scene-${scene}`, data.topRow.length, 1, 0, column, side, label);
}

// What a model makes of a scene: row 0 is the scene's, row k + 1 slot k's.
function made(scene, model, row, column, side, label) {
  const view = data.scenes[scene].views[model];
  const columns = view.slotRow.length;
  return tile(`view-${scene}-${model}`, columns, view.slots.length + 1, row, column, side, label);
}

function captioned(names, draw, prefix) {
  return names.map((name, column) =>
    make("figure", {}, draw(column, prefix + name), make("figcaption", { textContent: name })));
}

function radio(group, id, content, onchange) {
  const input = make("input", { type: "radio", name: group, id, onchange });
  return [input, make("label", { htmlFor: id }, ...content)];
}

// Each name explains itself where the pointer rests on it.
function scores(values) {
  return Object.entries(values).flatMap(([name, value], index) => [
    index ? ", " : "",
    make("abbr", { title: data.meanings[name], textContent: name }),
    ` ${value === null ? "–" : value.toFixed(2).replace("-", "−")}`,
  ]);
}

function buildPicker() {
  let fieldset;
  data.scenes.forEach((scene, index) => {
    if (index === 0 || data.scenes[index - 1].group !== scene.group) {
      fieldset = make("fieldset", {}, make("legend", { textContent: scene.group }));
      element("picker").append(fieldset);
    }
    const picture = image(index, 0, small, `scene ${index + 1}, ${scene.group}`);
    fieldset.append(...radio("scene", `scene-${index}`, [picture],
      () => choose(index, chosen.model, chosen.slot)));
  });
}

const slotId = (model, slot) => (several ? `slot-${model}-${slot}` : `slot-${slot}`);

function slotButtons(model) {
  const view = data.scenes[chosen.scene].views[model];
  return view.slots.map((slot, index) => {
    const content = [
      made(chosen.scene, model, index + 1, 0, small, `slot ${index + 1}`),
      make("b", { textContent: `slot ${index + 1}` }),
      slot.holds === null ? "empty" : percent(slot.area),
    ];
    const [button, label] = radio("slot", slotId(model, index), content,
      () => choose(chosen.scene, model, index));
    label.style.setProperty("--color", view.colors[index]);
    if (slot.holds === null) label.className = "empty";
    return make("div", {}, button, label);
  });
}

function buildView(view, model) {
  const heading = make("h4", {}, ...(several ? [make("b", { textContent: data.models[model] }), ": "] : []),
    ...scores(view.scores));
  if (Object.keys(view.refined).length) heading.append("; refined masks: ", ...scores(view.refined));
  const slots = make("div", { className: "slots" }, ...slotButtons(model));
  slots.setAttribute("role", "radiogroup");
  slots.setAttribute("aria-label", `Slot of ${data.models[model]}`);
  const draw = (column, label) => made(chosen.scene, model, 0, column, middle, label);
  const row = make("div", { className: "row" }, ...captioned(view.row, draw, ""));
  return make("div", { className: "view" }, heading, row, slots);
}

function showScene() {
  const scene = data.scenes[chosen.scene];
  element("scene-title").textContent =
    `Scene ${chosen.scene + 1}: ${scene.group} (row ${scene.index} of ${scene.source})`;
  const draw = (column, label) => image(chosen.scene, column, middle, label);
  element("scene-row").replaceChildren(...captioned(data.topRow, draw, ""));
  const focused = document.activeElement && document.activeElement.name === "slot";
  element("views").replaceChildren(...scene.views.map(buildView));
  if (focused) element(slotId(chosen.model, chosen.slot)).focus();
}

function showSlot() {
  const view = data.scenes[chosen.scene].views[chosen.model];
  const slot = view.slots[chosen.slot];
  element("slot-title").textContent =
    `Slot ${chosen.slot + 1}${several ? ` of ${data.models[chosen.model]}` : ""}: ` +
    (slot.holds === null
      ? "empty here, no pixel is mostly its own"
      : `${percent(slot.area)} of the image, most of that ${words(slot.holds)}`);
  const draw = (column, label) =>
    made(chosen.scene, chosen.model, chosen.slot + 1, column, large, label);
  element("slot-row").replaceChildren(
    ...captioned(view.slotRow, draw, `slot ${chosen.slot + 1}, `));
  element(slotId(chosen.model, chosen.slot)).checked = true;
}

function choose(scene, model, slot, remember = true) {
  const another = scene !== chosen.scene;
  Object.assign(chosen, { scene, model, slot });
  element(`scene-${scene}`).checked = true;
  if (another) showScene();
  showSlot();
  const of = several ? `&model=${model + 1}` : "";
  if (remember) history.replaceState(null, "", `#scene=${scene + 1}${of}&slot=${slot + 1}`);
}

// #scene=2&model=1&slot=1 opens the page at that place, counted from 1.
function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const within = (name, count) => {
    const number = Number(given.get(name));
    return Number.isInteger(number) && number >= 1 && number <= count ? number - 1 : 0;
  };
  const scene = within("scene", data.scenes.length);
  const model = within("model", data.models.length);
  choose(scene, model, within("slot", data.scenes[scene].views[model].slots.length), false);
  if (given.has("scene")) element("scenes").scrollIntoView();
}

const style = document.documentElement.style;
data.scenes.forEach((scene, index) => {
  style.setProperty(`--scene-${index}`, `url(${scene.sheet})`);
  scene.views.forEach((view, model) =>
    style.setProperty(`--view-${index}-${model}`, `url(${view.sheet})`));
});
buildPicker();
addEventListener("hashchange", fromAddress);
fromAddress();
