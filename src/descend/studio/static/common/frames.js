// Frames of the server: the length of a JSON header, the header, and a body of 32-bit floats.

export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { header, body: new Float32Array(buffer, 4 + length) };
}
