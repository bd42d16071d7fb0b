// Properties of an object as they are read from its slot's latents by linear regression, and how
// latents move to change one: along the direction that changes it and no other that can be read,
// the one of those that the latents of other objects make most likely.

function readKnobs(data) {
  const weights = floatsOf(data.weights); // (targets, latents)
  const intercepts = floatsOf(data.intercepts);
  const moves = floatsOf(data.moves); // (targets, latents): what changes each target by 1
  const latents = weights.length / intercepts.length;
  const index = new Map(data.targets.map((name, j) => [name, j]));

  function read(z, target) {
    const j = index.get(target);
    let value = intercepts[j];
    for (let d = 0; d < latents; d++) value += weights[j * latents + d] * z[d];
    return value;
  }

  // Returns latents whose targets differ by so much: { across: 3, down: -2 }.
  function moved(z, changes) {
    const result = Float32Array.from(z);
    for (const [target, change] of Object.entries(changes))
      for (let d = 0; d < latents; d++) result[d] += change * moves[index.get(target) * latents + d];
    return result;
  }

  // Returns latents whose targets are read as these values.
  function set(z, values) {
    const changes = Object.entries(values).map(([target, value]) => [target, value - read(z, target)]);
    return moved(z, Object.fromEntries(changes));
  }

  const has = (...targets) => targets.every((target) => index.has(target));
  return { read, moved, set, has };
}
