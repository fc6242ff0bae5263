/**
 * A checksum of many bytes, fast enough to be made of all of a machine's memory: FNV-1a over words, in four lanes.
 *
 * It tells damaged bytes and different contents. It is no protection against bytes that are made to have it. Many bytes go through
 * WebAssembly, in pieces; where a page forbids that, they are summed here.
 */
import { I32, ModuleBuilder } from '@exokernel/wasm';
import { WebAssembly, type Memory } from '../memory/webassembly.ts';

const PRIME = 0x01000193;
const SEEDS: Lanes = [0x811c9dc5 | 0, 0x2c1b3c6d, 0x297a2d39, 0x7feb352d];
/** Bytes at a time, so that a piece is still in the host's cache when it is summed. */
const PIECE = 0x20000;

type Lanes = readonly [number, number, number, number];

/** 32 bits, unsigned. `bytes` may begin and end anywhere; what is beyond whole words counts byte by byte. */
export function checksum(bytes: Uint8Array): number {
  let lanes = SEEDS;
  let done = 0;
  if (bytes.length >= PIECE) {
    const piece = pieces();
    for (; piece !== undefined && done + PIECE <= bytes.length; done += PIECE) {
      piece.bytes.set(bytes.subarray(done, done + PIECE));
      lanes = piece.sum(...lanes);
    }
  }
  return finish(bytes, done, lanes);
}

/** What WebAssembly does not do: from byte `done` on, a multiple of 16, and the mixing of the lanes. */
function finish(bytes: Uint8Array, done: number, lanes: Lanes): number {
  const rest = bytes.subarray(done);
  const aligned = rest.byteOffset % 4 === 0 ? rest : rest.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
  let [a, b, c, d] = lanes;
  let i = 0;
  for (; i + 3 < words.length; i += 4) {
    a = Math.imul(a ^ (words[i] as number), PRIME);
    b = Math.imul(b ^ (words[i + 1] as number), PRIME);
    c = Math.imul(c ^ (words[i + 2] as number), PRIME);
    d = Math.imul(d ^ (words[i + 3] as number), PRIME);
  }
  for (; i < words.length; i += 1) a = Math.imul(a ^ (words[i] as number), PRIME);
  for (i = words.length << 2; i < aligned.length; i += 1) b = Math.imul(b ^ (aligned[i] as number), PRIME);
  let all = Math.imul(a ^ bytes.length, PRIME);
  for (const lane of [b, c, d]) {
    // Of a multiplication's bits the low ones know least: the lanes are turned against each other.
    all = Math.imul(all ^ lane ^ (lane >>> 15), PRIME);
    all ^= all >>> 13;
  }
  return all >>> 0;
}

/** Room for a piece, and what sums it: lanes to lanes. */
interface Pieces {
  readonly bytes: Uint8Array;
  readonly sum: (...lanes: Lanes) => Lanes;
}

let made: Pieces | 'none' | undefined;

function pieces(): Pieces | undefined {
  made ??= makePieces();
  return made === 'none' ? undefined : made;
}

function makePieces(): Pieces | 'none' {
  const pages = PIECE / 0x10000;
  const m: Memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  try {
    const { s } = new WebAssembly.Instance(new WebAssembly.Module(compileSum(pages)), { m: { m } }).exports;
    return { bytes: new Uint8Array(m.buffer), sum: s as Pieces['sum'] };
  } catch {
    return 'none';
  }
}

/** The bytes of a module whose function `s` takes four lanes and returns them after the words of its whole memory. */
function compileSum(pages: number): Uint8Array {
  const module = new ModuleBuilder();
  module.importMemory('m', 'm', { minimum: pages, maximum: pages });
  const lanes = [0, 1, 2, 3];
  const code = module.function([I32, I32, I32, I32], [I32, I32, I32, I32]);
  const at = code.local(I32);
  code.loop();
  for (const word of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const lane = word % 4;
    code.localGet(lane);
    code.localGet(at);
    code.i32Load(4 * word);
    code.i32Xor();
    code.i32Const(PRIME);
    code.i32Mul();
    code.localSet(lane);
  }
  code.localGet(at);
  code.i32Const(32);
  code.i32Add();
  code.localTee(at);
  code.i32Const(PIECE);
  code.i32LtU();
  code.brIf(0);
  code.end();
  for (const lane of lanes) code.localGet(lane);
  module.export('s', 'function', code.index);
  return module.build();
}
