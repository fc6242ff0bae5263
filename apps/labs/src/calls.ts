/**
 * What the other calls cost that machine code executes: no figure of them was published, so the rows stand alone.
 *
 * The calls act on what the program has: its u-page's frame, a message ring of its own, pages that are not mapped.
 */
import { ENTRYLO, MESSAGE_BYTES, PAGE_BYTES, type CallName } from '@exokernel/abi';
import { A0, A1, A2, A3, S1, S3, T0, ZERO, type Assembler } from '@exokernel/isa';
import { UKIT, type Fiber, type Fibers } from '@exokernel/libos-kit';
import { bare, emitCall } from './bare.ts';
import { Bench, timed, type Sample } from './bench.ts';
import type { Row } from './lab.ts';
import type { Model } from './models.ts';

/** Where the message ring is mapped, and pages at which nothing is. */
const RING = 0x200000;
const NOTHING = 0x300000;
const RANGE = 100;

interface Measured {
  readonly name: CallName;
  readonly what: string;
  /** Loads the arguments. */
  readonly prepare: (a: Assembler) => void;
  /** What must be put right before the next one. */
  readonly after?: (a: Assembler) => void;
}

const CALLS_MEASURED: readonly Measured[] = [
  { name: 'tick', what: 'tick', prepare: () => undefined },
  {
    name: 'tlbwr',
    what: 'tlbwr: a page bound to a frame',
    prepare: (a) => {
      a.li(A0, NOTHING);
      a.lw(A1, UKIT.uPageCapability + 4, ZERO);
      a.lw(A2, UKIT.uPageCapability + 8, ZERO);
      a.lw(A3, UKIT.uPageCapability + 12, ZERO);
      a.sll(A1, A1, 12);
      a.ori(A1, A1, ENTRYLO.valid);
    },
  },
  {
    name: 'tlbvad',
    what: 'tlbvad: and not any more',
    prepare: (a) => {
      a.li(A0, NOTHING);
    },
  },
  {
    name: 'tlbvad_range',
    what: `tlbvad_range: ${RANGE} pages that are not in the TLB`,
    prepare: (a) => {
      a.li(A0, NOTHING);
      a.li(A1, RANGE);
    },
  },
  {
    name: 'msg_send',
    what: 'msg_send: eight words to itself',
    prepare: (a) => {
      a.move(A0, S3);
    },
    after: (a) => {
      a.li(T0, RING);
      a.addu(T0, T0, S1);
      a.sw(ZERO, 0, T0);
      a.addiu(S1, S1, MESSAGE_BYTES);
      a.andi(S1, S1, PAGE_BYTES - 1);
    },
  },
  {
    name: 'fpu_mod',
    what: 'fpu_mod: the floating-point unit, which no other environment used',
    prepare: (a) => {
      a.li(A0, 1);
    },
  },
];

/** A message ring, mapped. Returns the number of this environment, the only one of its machine. */
function* bindRing(fibers: Fibers): Fiber<number> {
  yield* fibers.syscall('frame_alloc', -1);
  const frame = fibers.results('frame_alloc').capability;
  yield* fibers.syscall('env_map', 0, 0, 0, 0, ...frame, RING | 1);
  yield* fibers.syscall('msg_bind', ...frame);
  return 0;
}

/** A row for each call, with the `syscall` and the instruction that numbers it; and the samples. */
export function otherCalls(model: Model, count: number): { rows: Row[]; samples: Sample[] } {
  const program = bare({
    name: 'calls',
    fiber: bindRing,
    emit: (a) => {
      a.label('main');
      a.move(S3, A0);
      a.move(S1, ZERO);
      a.label('again');
      for (const { name, prepare, after } of CALLS_MEASURED) {
        prepare(a);
        a.label(`call.${name}`);
        emitCall(a, name);
        a.label(`end.${name}`);
        after?.(a);
      }
      a.j('again');
      a.nop();
    },
  });
  const bench = new Bench(model, [program.image]);
  bench.settle(0.05);
  const rows: Row[] = [];
  const samples: Sample[] = [];
  for (const { name, what } of CALLS_MEASURED) {
    const sample = bench.measure(
      { env: 0, pc: program.at(`call.${name}`) },
      { env: 0, pc: program.at(`end.${name}`) },
      count,
    );
    rows.push(timed(model, what, sample, {}));
    samples.push(sample);
  }
  return { rows, samples };
}
