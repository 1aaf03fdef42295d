/* Unpacking: the arrays of the study, from base64 and gzip. See packing.py for their names and types. */

const ARRAY_TYPES = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
};

/** Return the study that the page carries: its description, and a function that returns an array by its name. */
async function unpackStudy() {
  const study = JSON.parse(document.getElementById("study").textContent);
  const packed = bytesOfBase64(document.getElementById("data").textContent.trim());
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  study.has = (name) => name in study.arrays;
  study.array = (name) => {
    const { type, start, length } = study.arrays[name];
    return new ARRAY_TYPES[type](buffer, start, length);
  };
  study.json = (name) => JSON.parse(new TextDecoder().decode(study.array(name)));
  return study;
}

/** Return the bytes that a text in base64 stands for. */
function bytesOfBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
