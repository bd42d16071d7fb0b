// What is drawn on canvases: pictures at the model's own size, which the page's style enlarges.

// `color(pixel, rgb)` writes a pixel's colour, in [0, 1].
function paint(canvas, size, color) {
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const { data } = new ImageData(size, size); // bytes that clamp what is outside
  const rgb = new Float32Array(3);
  for (let pixel = 0; pixel < size * size; pixel++) {
    color(pixel, rgb);
    for (let c = 0; c < 3; c++) data[4 * pixel + c] = 255 * rgb[c];
    data[4 * pixel + 3] = 255;
  }
  canvas.getContext("2d").putImageData(new ImageData(data, size), 0, 0);
}

function paintPicture(canvas, size, picture) {
  paint(canvas, size, (pixel, rgb) => {
    for (let c = 0; c < 3; c++) rgb[c] = picture[3 * pixel + c];
  });
}

// A component, on white where its share is less than 1.
function paintComponent(canvas, size, decoded, shares) {
  paint(canvas, size, (pixel, rgb) => {
    const share = shares ? shares[pixel] : 1;
    for (let c = 0; c < 3; c++) rgb[c] = share * decoded[4 * pixel + c] + 1 - share;
  });
}

// Light where the values are high.
function paintShares(canvas, size, shares) {
  paint(canvas, size, (pixel, rgb) => rgb.fill(shares[pixel]));
}

// Dark where the error is; black from a half.
function paintError(canvas, size, error) {
  paint(canvas, size, (pixel, rgb) => rgb.fill(1 - 2 * error[pixel]));
}

function paintLabels(canvas, size, labels, colors) {
  const channels = colors.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255));
  paint(canvas, size, (pixel, rgb) => rgb.set(channels[labels[pixel]]));
}

// Draws the border of a slot's pixels in white on black, which shows on every colour.
function outline(canvas, size, largest, slot) {
  const scale = 8;
  if (canvas.width !== size * scale) canvas.width = canvas.height = size * scale;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (slot === null) return;
  const inside = (x, y) => x >= 0 && y >= 0 && x < size && y < size && largest[y * size + x] === slot;
  const border = new Path2D();
  const line = (x, y, right, down) => {
    border.moveTo(x * scale, y * scale);
    border.lineTo((x + right) * scale, (y + down) * scale);
  };
  for (let y = 0; y <= size; y++)
    for (let x = 0; x <= size; x++) {
      if (x < size && inside(x, y) !== inside(x, y - 1)) line(x, y, 1, 0);
      if (y < size && inside(x, y) !== inside(x - 1, y)) line(x, y, 0, 1);
    }
  for (const [width, color] of [[5, "#000"], [2, "#fff"]]) {
    Object.assign(context, { lineWidth: width, strokeStyle: color, lineCap: "round" });
    context.stroke(border);
  }
}
