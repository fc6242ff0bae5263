// The map: which package of the workspace may import which. See docs/architecture.md.

/** @type {Readonly<Record<string, readonly string[]>>} */
export const MAP = {
  isa: [],
  wasm: [],
  hardware: ['isa', 'wasm'],
  vcode: ['isa', 'wasm'],
  dpf: ['vcode'],
  ash: ['vcode'],
  abi: [],
  aegis: ['abi', 'isa', 'hardware', 'vcode', 'dpf', 'ash'],
  'libos-kit': ['abi', 'isa'],
  net: ['abi', 'libos-kit'],
  exos: ['abi', 'isa', 'libos-kit', 'net', 'dpf', 'ash'],
  batch: ['abi', 'isa', 'libos-kit', 'net', 'dpf', 'ash'],
  cheetah: ['abi', 'isa', 'libos-kit', 'net', 'dpf', 'ash'],
};
