// The broadcast decoder (appendix B.1) as the page carries it. Latents are the same everywhere, and
// without padding so is what the first convolution makes of them: it is
// relu(corner + right * column + down * row + latents z), a plane for each of its channels.

function decoderWeights(data) {
  const { size, latentDim } = data;
  const layers = data.layers.map((layer) => ({
    into: layer.into,
    out: layer.out,
    weight: floatsOf(layer.weight), // (out, into, 3, 3)
    bias: floatsOf(layer.bias),
  }));
  const planes = { corner: floatsOf(data.corner), right: floatsOf(data.right), down: floatsOf(data.down) };
  const output = { weight: floatsOf(data.outputWeight), bias: floatsOf(data.outputBias) }; // (4, channels)
  const latents = floatsOf(data.latents); // (channels, latents)

  // Returns what the first convolution gives in the corner of the image, before its relu.
  function cornerOf(z) {
    return planes.corner.map((value, channel) => {
      for (let d = 0; d < latentDim; d++) value += latents[channel * latentDim + d] * z[d];
      return value;
    });
  }

  // Side in pixels of what the first convolution makes; each later one takes two pixels away.
  const firstSide = size + 2 * layers.length;
  return { size, latentDim, layers, planes, output, cornerOf, firstSide };
}

function paddedToFour(channels) {
  return 4 * Math.ceil(channels / 4);
}
