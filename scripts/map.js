// The map: which package of the workspace may import which. See docs/architecture.md.

/** @type {Readonly<Record<string, readonly string[]>>} */
export const MAP = {
  isa: [],
  wasm: [],
  capture: [],
  wire: ['capture'],
  hardware: ['isa', 'wasm', 'wire'],
  vcode: ['isa', 'wasm'],
  dpf: ['vcode'],
  ash: ['vcode'],
  abi: [],
  aegis: ['abi', 'isa', 'hardware', 'vcode', 'dpf', 'ash'],
  'libos-kit': ['abi', 'isa', 'vcode'],
  net: [],
  exos: ['abi', 'isa', 'libos-kit', 'net', 'dpf', 'ash'],
  batch: ['abi', 'isa', 'libos-kit', 'net', 'dpf', 'ash'],
  cheetah: ['abi', 'isa', 'libos-kit', 'net', 'dpf', 'ash'],
  conformance: ['abi', 'isa', 'libos-kit', 'net'],
};

/**
 * The folders (and single files) of a package's `src`, the lowest first: each imports only what stands before it, also for
 * types. A package that is not named here has no folders that import each other.
 *
 * @type {Readonly<Record<string, readonly string[]>>}
 */
export const FOLDERS = {
  hardware: [
    'error.ts',
    'memory',
    'state',
    'bus',
    'semantics',
    'timing',
    'cpu',
    'translator',
    'devices',
    'prom',
    'machine',
    'index.ts',
    'node',
  ],
  vcode: [
    'program',
    'asc.ts',
    'ir',
    'from-program',
    'from-wasm',
    'ssa',
    'r3000',
    'to-wasm',
    'run',
    'downloaded',
    'index.ts',
  ],
};
