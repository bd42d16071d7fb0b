// A scene composed as the model does it: components mixed by the decoded masks, which are
// normalised over the slots that are there. A slot decodes to (pixel, 4): colour, mask logit.

// Returns shares (slot, pixel), their logarithms, and the picture (pixel, 3). A slot's `offset` is
// added to its logits.
function compose(decoded, offsets, pixels) {
  const count = decoded.length;
  const logShares = decoded.map(() => new Float32Array(pixels));
  const shares = decoded.map(() => new Float32Array(pixels));
  const picture = new Float32Array(3 * pixels);
  const raised = new Float64Array(count);
  for (let pixel = 0; pixel < pixels; pixel++) {
    let highest = -Infinity;
    for (let k = 0; k < count; k++) {
      raised[k] = decoded[k][4 * pixel + 3] + offsets[k];
      if (raised[k] > highest) highest = raised[k];
    }
    let sum = 0;
    for (let k = 0; k < count; k++) sum += Math.exp(raised[k] - highest);
    const normaliser = highest + Math.log(sum);
    for (let k = 0; k < count; k++) {
      const share = Math.exp(raised[k] - normaliser);
      logShares[k][pixel] = raised[k] - normaliser;
      shares[k][pixel] = share;
      for (let c = 0; c < 3; c++) picture[3 * pixel + c] += share * decoded[k][4 * pixel + c];
    }
  }
  return { logShares, shares, picture };
}

// Equation 3's first term: minus the log likelihood of the image, slots mixed pixel by pixel by
// masks (logarithms). `image` is (pixel, 3) in [0, 1]; the first slot of a scene has a sigma of its own.
function negativeLogLikelihood(image, decoded, logMasks, sigmas) {
  const count = decoded.length;
  const constants = sigmas.map((sigma) => -3 * Math.log(sigma) - 1.5 * Math.log(2 * Math.PI));
  const scales = sigmas.map((sigma) => 1 / (2 * sigma * sigma));
  const terms = new Float64Array(count);
  let total = 0;
  for (let pixel = 0; pixel < image.length / 3; pixel++) {
    const [red, green, blue] = [image[3 * pixel], image[3 * pixel + 1], image[3 * pixel + 2]];
    let highest = -Infinity;
    for (let k = 0; k < count; k++) {
      const a = red - decoded[k][4 * pixel];
      const b = green - decoded[k][4 * pixel + 1];
      const c = blue - decoded[k][4 * pixel + 2];
      terms[k] = logMasks[k][pixel] + constants[k] - scales[k] * (a * a + b * b + c * c);
      if (terms[k] > highest) highest = terms[k];
    }
    let sum = 0;
    for (let k = 0; k < count; k++) sum += Math.exp(terms[k] - highest);
    total -= highest + Math.log(sum);
  }
  return total;
}

// The second term, of one slot: KL of its posterior, which keeps the deviations that the encoder
// gave it, from a unit Gaussian.
function latentDivergence(z, logSigma) {
  return z.reduce((sum, mu, d) => sum + 0.5 * (mu * mu + Math.expm1(2 * logSigma[d]) - 2 * logSigma[d]), 0);
}

// The third term: KL(attention masks || decoded masks).
function maskDivergence(logMasks, logShares) {
  let total = 0;
  for (let k = 0; k < logMasks.length; k++)
    for (let pixel = 0; pixel < logMasks[k].length; pixel++)
      total += Math.exp(logMasks[k][pixel]) * (logMasks[k][pixel] - logShares[k][pixel]);
  return total;
}

// Mean absolute error of each pixel's colour, in [0, 1].
function errorOf(image, picture) {
  const error = new Float32Array(image.length / 3);
  for (let place = 0; place < image.length; place++)
    error[Math.floor(place / 3)] += Math.abs(image[place] - Math.min(1, Math.max(0, picture[place]))) / 3;
  return error;
}

// The slot with the largest share of each pixel.
function largestOf(shares, pixels) {
  const largest = new Uint8Array(pixels);
  for (let pixel = 0; pixel < pixels; pixel++)
    for (let k = 1; k < shares.length; k++)
      if (shares[k][pixel] > shares[largest[pixel]][pixel]) largest[pixel] = k;
  return largest;
}

function meanOf(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
