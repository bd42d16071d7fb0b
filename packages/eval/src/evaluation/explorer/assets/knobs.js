// Properties of an object as they are read from its slot's latents, and the curves along which
// latents move as one of them changes: from a to b, by curve(b) - curve(a).

function readKnob(data, latentDim) {
  const readings = data.readings.map((one) => ({ weights: floatsOf(one.weights), intercept: one.intercept }));
  const { low, high } = data.curve;
  const curve = floatsOf(data.curve.latents); // (value, latent)
  const last = curve.length / latentDim - 1;

  function at(value, latent) {
    const place = Math.min(last, Math.max(0, (last * (value - low)) / (high - low)));
    const below = Math.min(last - 1, Math.floor(place));
    const share = place - below;
    return (1 - share) * curve[below * latentDim + latent] + share * curve[(below + 1) * latentDim + latent];
  }

  return {
    low,
    high,
    read: (z) => readings.map(({ weights, intercept }) =>
      weights.reduce((sum, weight, d) => sum + weight * z[d], intercept)),
    moved: (z, from, to) => Float32Array.from(z, (value, d) => value + at(to, d) - at(from, d)),
  };
}
