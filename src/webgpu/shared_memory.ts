/** Memory that several threads share, on its way to the device. */

/**
 * The array itself, or a copy where its memory is shared: Dawn's bindings for Node.js crash on that. Pages that are not
 * isolated don't know the class.
 */
export function unshared<Elements extends Float32Array | Uint16Array | Uint32Array>(data: Elements): Elements & Owned {
  const shared = data.buffer[Symbol.toStringTag] === "SharedArrayBuffer";
  return (shared ? data.slice() : data) as Elements & Owned;
}

/** What WebGPU's types ask for. */
interface Owned {
  readonly buffer: ArrayBuffer;
}
