// The decoder in WebGL2. A map is an array of textures with four channels each; a fragment is a
// pixel, and draws several of those at once. Throws where the browser lacks what this needs.

const GROUPS_AT_ONCE = 4; // textures that every WebGL2 draws into at once
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

// Args: `onlost` is called where the browser takes it away; `hardware` asks for a GPU.
function webglDecoder(weights, onlost, hardware) {
  const canvas = document.createElement("canvas");
  const wishes = { antialias: false, depth: false, failIfMajorPerformanceCaveat: hardware };
  const gl = canvas.getContext("webgl2", wishes);
  if (!gl) throw new Error(hardware ? "this browser has none on a GPU" : "this browser has none");
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const renderer = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  if (hardware && SOFTWARE.test(renderer)) throw new Error(`it is drawn in software here (${renderer})`);
  if (!gl.getExtension("EXT_color_buffer_float")) throw new Error("it draws no floats");
  canvas.addEventListener("webglcontextlost", onlost);
  const { planes, output, size } = weights;
  const channels = planes.corner.length;
  gl.bindVertexArray(gl.createVertexArray());

  const maps = [newMap(gl, weights.firstSide, channels)];
  const passes = firstPasses(gl, weights, maps[0]);
  weights.layers.forEach((layer) => {
    const below = maps.at(-1);
    maps.push(newMap(gl, below.side - 2, layer.out));
    passes.push(...convolutionPasses(gl, layer, 3, below, maps.at(-1)));
  });
  const last = weights.layers.at(-1)?.out ?? channels;
  const pointwise = { into: last, out: 4, ...output };
  maps.push(newMap(gl, size, 4));
  passes.push(...convolutionPasses(gl, pointwise, 1, maps.at(-2), maps.at(-1)));
  const pixels = new Float32Array(4 * size * size);

  function decode(z) {
    const corner = weights.cornerOf(z);
    for (const pass of passes) pass(corner);
    gl.readPixels(0, 0, size, size, gl.RGBA, gl.FLOAT, pixels);
    if (gl.getError() !== gl.NO_ERROR || gl.isContextLost()) throw new Error("it failed");
    return pixels.slice(); // red, green, blue and the mask's logit of each pixel
  }

  return { name: `WebGL2 (${renderer})`, decode };
}

function newMap(gl, side, channels) {
  const groups = Math.ceil(channels / 4);
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
  gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.RGBA32F, side, side, groups);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
    gl.texParameteri(gl.TEXTURE_2D_ARRAY, name, gl.NEAREST);
  return { texture, side, groups };
}

// Calls `make(group, count)` for each few of a map's groups; returns what it makes.
function eachFew(map, most, make) {
  const made = [];
  for (let group = 0; group < map.groups; group += most)
    made.push(make(group, Math.min(most, map.groups - group)));
  return made;
}

function targetOf(gl, map, group, count) {
  const framebuffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  const places = Array.from({ length: count }, (_, i) => gl.COLOR_ATTACHMENT0 + i);
  places.forEach((place, i) =>
    gl.framebufferTextureLayer(gl.FRAMEBUFFER, place, map.texture, 0, group + i));
  gl.drawBuffers(places);
  if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE)
    throw new Error("it draws into no such textures");
  return framebuffer;
}

const CORNERS = `#version 300 es
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1, 0, 1);
}`;

function newProgram(gl, count, body) {
  const each = (line) => Array.from({ length: count }, (_, i) => line.replaceAll("#", i)).join("\n");
  const source = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2DArray;
${each("layout(location = #) out vec4 drawn#;")}
${body(each)}`;
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, source]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS))
    throw new Error(`it compiles no such program: ${gl.getProgramInfoLog(program)}`);
  return program;
}

function draw(gl, program, framebuffer, side) {
  gl.useProgram(program);
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  gl.viewport(0, 0, side, side);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
}

// The first convolution: planes over the image.
function firstPasses(gl, { planes }, map) {
  return eachFew(map, GROUPS_AT_ONCE, (group, count) => {
    const program = newProgram(gl, count, (each) => `
uniform vec4 corner[${count}], right[${count}], down[${count}];
void main() {
  vec2 place = floor(gl_FragCoord.xy);
${each("drawn# = max(corner[#] + right[#] * place.x + down[#] * place.y, 0.0);")}
}`);
    const target = targetOf(gl, map, group, count);
    const set = (name, values) => {
      const few = new Float32Array(4 * count);
      few.set(values.subarray(4 * group, 4 * (group + count)));
      gl.uniform4fv(gl.getUniformLocation(program, name), few);
    };
    gl.useProgram(program);
    set("right", planes.right);
    set("down", planes.down);
    return (corner) => {
      gl.useProgram(program);
      set("corner", corner);
      draw(gl, program, target, map.side);
    };
  });
}

// A convolution of `width` x `width` pixels; all but the pointwise one take a relu.
function convolutionPasses(gl, layer, width, below, above) {
  const taps = width * width * below.groups;
  const most = Math.floor(gl.getParameter(gl.MAX_UNIFORM_BLOCK_SIZE) / (64 * taps));
  if (!most) throw new Error("it holds no kernel as wide as this model's");
  return eachFew(above, Math.min(most, GROUPS_AT_ONCE), (group, count) => {
    const program = newProgram(gl, count, (each) => `
uniform sampler2DArray below;
uniform vec4 bias[${count}];
layout(std140) uniform Kernel { mat4 kernel[${taps * count}]; };
void main() {
  ivec2 place = ivec2(gl_FragCoord.xy);
${each("vec4 sum# = bias[#];")}
  int at = 0;
  for (int y = 0; y < ${width}; y++)
    for (int x = 0; x < ${width}; x++)
      for (int group = 0; group < ${below.groups}; group++) {
        vec4 texel = texelFetch(below, ivec3(place + ivec2(x, y), group), 0);
${each("sum# += kernel[at + #] * texel;")}
        at += ${count};
      }
${each(width > 1 ? "drawn# = max(sum#, 0.0);" : "drawn# = sum#;")}
}`);
    const target = targetOf(gl, above, group, count);
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.UNIFORM_BUFFER, buffer);
    gl.bufferData(gl.UNIFORM_BUFFER, kernelOf(layer, width, below.groups, group, count), gl.STATIC_DRAW);
    gl.uniformBlockBinding(program, gl.getUniformBlockIndex(program, "Kernel"), 0);
    const bias = new Float32Array(4 * count);
    bias.set(layer.bias.subarray(4 * group, 4 * (group + count)));
    gl.useProgram(program);
    gl.uniform4fv(gl.getUniformLocation(program, "bias"), bias);
    return () => {
      gl.bindBufferBase(gl.UNIFORM_BUFFER, 0, buffer);
      gl.bindTexture(gl.TEXTURE_2D_ARRAY, below.texture);
      draw(gl, program, target, above.side);
    };
  });
}

// Matrices from four channels to four: by row, column, group below, and group above; columns first.
function kernelOf(layer, width, groupsBelow, group, count) {
  const area = width * width;
  const kernel = new Float32Array(16 * area * groupsBelow * count);
  for (let o = 0; o < Math.min(4 * count, layer.out - 4 * group); o++)
    for (let i = 0; i < layer.into; i++)
      for (let place = 0; place < area; place++) {
        const matrix = (place * groupsBelow + (i >> 2)) * count + (o >> 2);
        kernel[16 * matrix + 4 * (i & 3) + (o & 3)] =
          layer.weight[((4 * group + o) * layer.into + i) * area + place];
      }
  return kernel;
}
