// The decoder in plain JavaScript, its 3x3 convolutions by Winograd's F(2x2, 3x3): 16 products for
// four pixels in place of 36. Maps are (row, column, channel), channels padded to fours.

function plainDecoder(weights) {
  const { planes, output, size, firstSide } = weights;
  const first = new Float64Array(firstSide ** 2 * paddedToFour(planes.corner.length));
  const steps = weights.layers.map((layer, row) => winogradStep(layer, firstSide - 2 * row));

  function decode(z) {
    firstMap(weights.cornerOf(z), planes, firstSide, first);
    const last = steps.reduce((map, step) => step(map), first);
    return pointwise(last, output, size * size); // colours and the mask's logit of each pixel
  }

  return { name: "plain JavaScript", decode };
}

function firstMap(corner, { right, down }, side, map) {
  const width = paddedToFour(corner.length);
  for (let c = 0; c < corner.length; c++) {
    const [start, across, below] = [corner[c], right[c], down[c]];
    for (let row = 0, to = c; row < side; row++)
      for (let column = 0; column < side; column++, to += width) {
        const value = start + across * column + below * row;
        map[to] = value > 0 ? value : 0;
      }
  }
}

// The last convolution, to four channels.
function pointwise(map, { weight, bias }, pixels) {
  const channels = weight.length / 4;
  const width = paddedToFour(channels);
  const [a, b, c, d] = [0, 1, 2, 3].map((k) => Float64Array.from(weight.subarray(k * channels, (k + 1) * channels)));
  const result = new Float32Array(4 * pixels);
  for (let pixel = 0, from = 0; pixel < pixels; pixel++, from += width) {
    let [red, green, blue, logit] = [bias[0], bias[1], bias[2], bias[3]];
    for (let channel = 0; channel < channels; channel++) {
      const value = map[from + channel];
      red += a[channel] * value; green += b[channel] * value;
      blue += c[channel] * value; logit += d[channel] * value;
    }
    result[4 * pixel] = red; result[4 * pixel + 1] = green;
    result[4 * pixel + 2] = blue; result[4 * pixel + 3] = logit;
  }
  return result;
}

// Returns what convolves a map of so many pixels a side, and takes its relu.
function winogradStep(layer, side) {
  const into = paddedToFour(layer.into);
  const out = paddedToFour(layer.out);
  const rows = (side - 2) / 2; // of tiles of 2 x 2 pixels; sides are even
  const tiles = rows + (rows % 2); // in a row, of which two are computed at once
  const kernels = winogradKernels(layer, into, out);
  const bias = new Float64Array(out);
  bias.set(layer.bias);
  const inputs = new Float64Array(16 * tiles * into);
  const sums = new Float64Array(16 * tiles * out);
  const result = new Float64Array((side - 2) ** 2 * out);
  return (map) => {
    for (let row = 0; row < rows; row++) {
      transformInputs(map, side, row, rows, tiles, into, inputs);
      multiply(tiles, into, out, inputs, kernels, sums);
      transformSums(sums, side - 2, row, rows, tiles, out, bias, result);
    }
    return result;
  };
}

// G g G' of each kernel: (16, out, into).
function winogradKernels(layer, into, out) {
  const kernels = new Float64Array(16 * out * into);
  const half = (a, b, c) => [a, (a + b + c) / 2, (a - b + c) / 2, c];
  for (let o = 0; o < layer.out; o++)
    for (let i = 0; i < layer.into; i++) {
      const g = layer.weight.subarray(9 * (o * layer.into + i));
      const columns = [0, 1, 2].map((x) => half(g[x], g[3 + x], g[6 + x]));
      for (let y = 0; y < 4; y++)
        half(columns[0][y], columns[1][y], columns[2][y]).forEach((value, x) => {
          kernels[((4 * y + x) * out + o) * into + i] = value;
        });
    }
  return kernels;
}

// B' d B of the patch of 4 x 4 pixels under each tile of a row: (16, tiles, into).
function transformInputs(map, side, row, count, tiles, into, inputs) {
  const down = side * into;
  const plane = tiles * into;
  for (let tile = 0; tile < count; tile++)
    for (let c = 0; c < into; c++) {
      let from = (2 * row * side + 2 * tile) * into + c;
      let to = tile * into + c;
      const kept = transformInputs.kept;
      for (let x = 0; x < 4; x++, from += into) {
        const a = map[from];
        const b = map[from + down];
        const d = map[from + 2 * down];
        const e = map[from + 3 * down];
        kept[x] = a - d;
        kept[4 + x] = b + d;
        kept[8 + x] = d - b;
        kept[12 + x] = b - e;
      }
      for (let y = 0; y < 16; y += 4, to += 4 * plane) {
        inputs[to] = kept[y] - kept[y + 2];
        inputs[to + plane] = kept[y + 1] + kept[y + 2];
        inputs[to + 2 * plane] = kept[y + 2] - kept[y + 1];
        inputs[to + 3 * plane] = kept[y + 1] - kept[y + 3];
      }
    }
}
transformInputs.kept = new Float64Array(16);

// Sums over channels, four outputs of two tiles at once: (16, tiles, out).
function multiply(tiles, into, out, inputs, kernels, sums) {
  for (let place = 0; place < 16; place++)
    for (let o = 0; o < out; o += 4) {
      const k0 = (place * out + o) * into;
      const k1 = k0 + into;
      const k2 = k1 + into;
      const k3 = k2 + into;
      for (let tile = 0; tile < tiles; tile += 2) {
        const one = (place * tiles + tile) * into;
        const two = one + into;
        let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
        for (let c = 0; c < into; c++) {
          const x = inputs[one + c];
          const y = inputs[two + c];
          const p = kernels[k0 + c];
          const q = kernels[k1 + c];
          const r = kernels[k2 + c];
          const s = kernels[k3 + c];
          a0 += x * p; a1 += x * q; a2 += x * r; a3 += x * s;
          b0 += y * p; b1 += y * q; b2 += y * r; b3 += y * s;
        }
        const to = (place * tiles + tile) * out + o;
        sums[to] = a0; sums[to + 1] = a1; sums[to + 2] = a2; sums[to + 3] = a3;
        sums[to + out] = b0; sums[to + out + 1] = b1; sums[to + out + 2] = b2; sums[to + out + 3] = b3;
      }
    }
}

// A' m A of each tile of a row, with bias and relu: four pixels of the result.
function transformSums(sums, side, row, count, tiles, out, bias, result) {
  const plane = tiles * out;
  const kept = transformSums.kept;
  const below = side * out;
  for (let tile = 0; tile < count; tile++)
    for (let c = 0; c < out; c++) {
      let from = tile * out + c;
      for (let x = 0; x < 4; x++, from += plane) {
        const a = sums[from];
        const b = sums[from + 4 * plane];
        const d = sums[from + 8 * plane];
        const e = sums[from + 12 * plane];
        kept[x] = a + b + d;
        kept[4 + x] = b - d - e;
      }
      const start = bias[c];
      let to = (2 * row * side + 2 * tile) * out + c;
      for (let y = 0; y < 8; y += 4, to += below) {
        const left = start + kept[y] + kept[y + 1] + kept[y + 2];
        const right = start + kept[y + 1] - kept[y + 2] - kept[y + 3];
        result[to] = left > 0 ? left : 0;
        result[to + out] = right > 0 ? right : 0;
      }
    }
}
transformSums.kept = new Float64Array(8);
