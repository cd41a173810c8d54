/**
 * WebGPU's flag values, as its specification fixes them: Node.js has no globals that hold them, and an embedder's
 * global scope is not ours to fill.
 */

export const bufferUsage = {
  mapRead: 0x1,
  copySrc: 0x4,
  copyDst: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;
export const mapModeRead = 0x1;
export const shaderStageCompute = 0x4;
