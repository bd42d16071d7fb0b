// Arrays as Python wrote them: little-endian numbers in base64.

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function floatsOf(text) {
  return new Float32Array(bytesOf(text).buffer);
}

// Two bytes each (IEEE 754 binary16), all of them finite.
function halvesOf(text) {
  return Float32Array.from(new Uint16Array(bytesOf(text).buffer), (bits) => {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    return bits & 32768 ? -size : size;
  });
}
