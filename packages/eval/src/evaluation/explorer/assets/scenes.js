// The page's scenes, each read from the data when it is first shown.

function readScenes(data) {
  const pixels = data.size ** 2;
  const rows = (values, length) =>
    Array.from({ length: values.length / length }, (_, k) => values.subarray(k * length, (k + 1) * length));
  const read = new Map();

  function sceneAt(index) {
    if (!read.has(index)) {
      const scene = data.scenes[index];
      const z = rows(floatsOf(scene.latents), data.latentDim);
      read.set(index, {
        image: Float32Array.from(bytesOf(scene.image), (byte) => byte / 255), // (pixel, 3)
        truth: scene.truth && bytesOf(scene.truth), // entity of each pixel
        logMasks: rows(halvesOf(scene.logMasks), pixels),
        refined: rows(Float32Array.from(bytesOf(scene.refined), (byte) => byte / 255), pixels),
        logSigma: rows(floatsOf(scene.logSigma), data.latentDim),
        colors: scene.colors,
        originals: z.map((latents, slot) =>
          Object.freeze({ scene: index, slot, z: latents, offset: 0, present: true })),
      });
    }
    return read.get(index);
  }

  // The entity that most of a slot's pixels are of, by the attention's masks; empty where none is.
  function holdsOf({ scene, slot }) {
    const { truth, logMasks } = sceneAt(scene);
    if (!truth) return "";
    const counts = new Map();
    truth.forEach((entity, pixel) => {
      if (logMasks.every((row) => row[pixel] <= logMasks[slot][pixel]))
        counts.set(entity, (counts.get(entity) ?? 0) + 1);
    });
    const [most] = [...counts].sort((one, other) => other[1] - one[1]);
    return most ? data.entities[most[0]].replaceAll("_", " ") : "";
  }

  const colorOf = ({ scene, slot }) => sceneAt(scene).colors[slot];
  return { count: data.scenes.length, pixels, sceneAt, holdsOf, colorOf };
}
