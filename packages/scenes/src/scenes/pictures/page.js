const { width, height, scenes, entities } = data;
const perPage = 24, pages = Math.ceil(scenes.length / perPage);
const grid = document.querySelector("main"), tip = element("tip");
let page = 0, view = data.show;

for (const scene of scenes) {
  if (!scene.runs) continue;
  scene.labels = new Uint8Array(width * height);
  for (let i = 0, at = 0; i < scene.runs.length; i += 2) {
    scene.labels.fill(scene.runs[i], at, at + scene.runs[i + 1]);
    at += scene.runs[i + 1];
  }
}

function picture(scene, kind) {
  return new Promise((done) => {
    const image = new Image();
    image.onload = () => done(image);
    image.src = scene[kind];
  });
}

async function draw(canvas, scene, lit) {
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  const kind = view === "depth" ? "depth" : "image";
  scene.drawn ??= {};
  scene.drawn[kind] ??= await picture(scene, kind);
  brush.drawImage(scene.drawn[kind], 0, 0);
  if (!scene.labels || (view !== "masks" && lit === undefined)) return;
  const pixels = brush.getImageData(0, 0, width, height);
  scene.labels.forEach((entity, i) => {
    for (let c = 0; c < 3; c++) {
      if (view === "masks") pixels.data[4 * i + c] = data.palette[entity][c];
      if (lit !== undefined && entity !== lit) pixels.data[4 * i + c] = 255 - (255 - pixels.data[4 * i + c]) * 0.3;
    }
  });
  brush.putImageData(pixels, 0, 0);
}

function describe(title, entries) {
  const table = make("table");
  tip.replaceChildren(make("b", { textContent: title }), table);
  for (const [name, value, color] of entries) {
    const row = table.insertRow();
    row.insertCell().textContent = name;
    const cell = row.insertCell();
    if (color) cell.appendChild(make("i")).style.background = color;
    cell.append(value);
  }
}

function hover(event, canvas, scene) {
  const box = canvas.getBoundingClientRect();
  const x = Math.min(width - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * width)));
  const y = Math.min(height - 1, Math.max(0, Math.floor((event.clientY - box.top) / box.height * height)));
  const entity = scene.labels?.[y * width + x];
  if (entity >= data.background) describe(entities[entity], scene.objects[entity - data.background]);
  else describe(entity === undefined ? "scene" : entities[entity], scene.values);
  if (canvas.lit !== entity) draw(canvas, scene, canvas.lit = entity);
  tip.style.display = "block";
  const left = event.clientX + 18 + tip.offsetWidth > innerWidth ? event.clientX - 18 - tip.offsetWidth : event.clientX + 18;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - tip.offsetHeight - 8))}px`;
}

function show() {
  tip.style.display = "none";
  grid.replaceChildren();
  const first = page * perPage, last = Math.min(first + perPage, scenes.length);
  for (let number = first; number < last; number++) {
    const scene = scenes[number];
    const canvas = make("canvas", { width, height, ariaLabel: `scene ${number}` });
    const known = scene.values.find(([name]) => name === "num_visible");
    const words = [`scene ${number}`, known ? `${known[1]} in view` : ""];
    grid.append(make("figure", {}, canvas,
      make("figcaption", {}, ...words.map((textContent) => make("span", { textContent })))));
    canvas.onmousemove = (event) => hover(event, canvas, scene);
    canvas.onmouseleave = () => { tip.style.display = "none"; draw(canvas, scene, canvas.lit = undefined); };
    draw(canvas, scene);
  }
  element("where").textContent = `${first} to ${last - 1} of ${scenes.length}`;
  element("back").disabled = page === 0;
  element("on").disabled = page === pages - 1;
}

function leaf(step) {
  const to = Math.min(pages - 1, Math.max(0, page + step));
  if (to !== page) { page = to; show(); scrollTo(0, 0); }
}

for (const [kind, there] of [["images", "image"], ["masks", "runs"], ["depth", "depth"]]) {
  if (!scenes[0][there]) continue;
  const button = make("button", { textContent: kind });
  element("views").append(button);
  button.onclick = () => {
    view = kind;
    for (const other of button.parentNode.children) other.setAttribute("aria-pressed", other === button);
    show();
  };
  button.setAttribute("aria-pressed", kind === view);
}
element("back").onclick = () => leaf(-1);
element("on").onclick = () => leaf(1);
onkeydown = (event) => { if (event.key === "ArrowLeft") leaf(-1); if (event.key === "ArrowRight") leaf(1); };
show();
