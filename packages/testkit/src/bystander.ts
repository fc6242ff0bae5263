/**
 * The bystander: an environment that has nothing to do with a test, and that nothing in it may touch.
 *
 * It owns one slice and four frames with a pattern, which it reads over and over. Whatever the others do, at the end its
 * frames hold what they held, it is alive, and it has had the cycles of its slice for every round of the vector, and of every slice
 * that has begun for it: what others cause meanwhile it does not pay.
 */
import { ENV, SLICE_BYTES } from '@exokernel/abi';
import type { Aegis } from '@exokernel/aegis';
import { EXCESS_LIMIT, KP } from '@exokernel/aegis/inside';
import { A0, A1, S1, T0, T1, V0, type Assembler } from '@exokernel/isa';
import { emitEnd, rawImage, type RawImage } from './raw.ts';

/** Where its frames are mapped, for good. */
const PATTERN = 0x200000;
const PAGES = 4;
/** Quanta that may still have to be given back to it: half for rounding, the rest for an overrun of another that is being repaid. */
const LAG = 1 + EXCESS_LIMIT / 2;
/** Cycles that it takes the kernel to begin a slice and to end it. */
const SWITCH = 600;

/** The image. */
export function bystander(): RawImage {
  const image = rawImage({
    name: 'bystander',
    entry: 'look',
    emit: (a: Assembler) => {
      a.label('look');
      a.li(A0, PATTERN);
      a.li(A1, PATTERN + 4096 * PAGES);
      a.label('look.next');
      a.lw(T0, 0, A0);
      a.addiu(A0, A0, 4);
      a.addiu(T1, A0, -4);
      a.beq(T0, T1, 'look.same');
      a.nop();
      // Its memory is not what it was: it ends.
      a.li(V0, 1);
      emitEnd(a);
      a.label('look.same');
      a.bne(A0, A1, 'look.next');
      a.addiu(S1, S1, 1);
      a.b('look');
      a.nop();
    },
  });
  const bytes = new Uint8Array(4096 * PAGES);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < bytes.length; i += 4) view.setUint32(i, PATTERN + i, true);
  return {
    ...image,
    segments: [...image.segments, { va: PATTERN, bytes, size: bytes.length, writable: true }],
  };
}

/** What was so when the watch began, and what must still be. */
export class BystanderWatch {
  readonly #aegis: Aegis;
  readonly #env: number;
  readonly #memory: ReadonlyMap<number, Uint8Array>;
  readonly #since: { readonly tick: number; readonly cycles: number; readonly slices: number };
  #longest = 1;

  /** Watches environment `env`, made of `bystander()`, which has not run yet. */
  constructor(aegis: Aegis, env: number) {
    this.#aegis = aegis;
    this.#env = env;
    this.#memory = this.#read();
    const { cycles, slices } = aegis.environment(env);
    this.#since = { tick: aegis.parts.memory.kernelPage(KP.tick), cycles, slices };
    this.look();
  }

  /** To be called now and then: how long the vector is at present. */
  look(): void {
    this.#longest = Math.max(this.#longest, this.#aegis.parts.memory.kernelPage(KP.vectorBytes) / SLICE_BYTES);
  }

  /** What has happened to it; empty if nothing has. */
  damage(): string[] {
    const { memory } = this.#aegis.parts;
    const { status, cause, cycles, slices } = this.#aegis.environment(this.#env);
    if (status !== 'runnable') return [`the bystander is ${status}: it ${cause?.text ?? 'has not ended'}`];
    const found: string[] = [];
    const now = this.#read();
    for (const [ppn, bytes] of this.#memory) {
      const held = now.get(ppn);
      if (held === undefined) found.push(`the bystander has lost frame ${ppn}`);
      else if (bytes.some((byte, i) => byte !== held[i])) found.push(`frame ${ppn} of the bystander was written`);
    }
    const rounds = Math.floor((memory.kernelPage(KP.tick) - this.#since.tick) / this.#longest);
    const had = cycles - this.#since.cycles;
    const begun = slices - this.#since.slices;
    const slice = 0.99 * memory.kernelPage(KP.quantum) - SWITCH;
    for (const [count, what] of [
      [rounds, 'rounds'],
      [begun, 'slices'],
    ] as const) {
      const fair = (count - LAG) * slice;
      if (had < fair) found.push(`the bystander has had ${had} cycles in ${count} ${what}, and not ${Math.ceil(fair)}`);
    }
    return found;
  }

  /** The contents of its frames, but for the u-page, where the kernel and it save registers. */
  #read(): Map<number, Uint8Array> {
    const { memory, frames } = this.#aegis.parts;
    const uPage = (memory.env(this.#env, ENV.uPage) & 0x7fffffff) / 4096;
    const contents = new Map<number, Uint8Array>();
    for (const ppn of frames.heldBy(this.#env)) {
      if (ppn !== uPage) contents.set(ppn, memory.port.read(4096 * ppn, new Uint8Array(4096)));
    }
    return contents;
  }
}
