// Arrays of 32-bit floats as text and back, for a saved page.

export function pack(values) {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  let text = "";
  // In pieces: a function takes only so many arguments.
  for (let from = 0; from < bytes.length; from += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(from, from + 0x8000));
  }
  return btoa(text);
}

export function unpack(text) {
  return new Float32Array(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);
}
