/**
 * What the kernel's paths cost, in instructions from the vector to user mode. No bar: the numbers are what they are, and a
 * change of one shows here.
 */
import { CALLS, ENTRYLO, EXCEPTIONS } from '@exokernel/abi';
import { EVENT_KINDS } from '@exokernel/hardware';
import { A0, A1, A2, A3, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, emitCall, rawImage, WINDOW, type Booted, type RawImage } from '../../testkit/src/index.ts';

const USER = 2;
const REFILL = 0x80000000;
const GENERAL = 0x80000080;

interface Wanted {
  readonly code: number;
  readonly vector?: number;
  /** An interrupt may come anywhere. */
  readonly anywhere?: boolean;
}

/**
 * Executes until the instruction at `at` takes the exception that is wanted, and on until the machine is in user mode
 * again. Returns the number of the kernel's instructions. Fails if TypeScript of the kernel ran among them.
 */
function measure(booted: Booted, at: number, { code, vector = GENERAL, anywhere = false }: Wanted): number {
  const { machine } = booted;
  const seen = { code: -1, epc: -1, vector: -1 };
  let natives = 0;
  const stop = machine.listen((kind, _cycle, a, b, c) => {
    if (kind === EVENT_KINDS.exception.kind) Object.assign(seen, { code: a, epc: b, vector: c });
    if (kind === EVENT_KINDS.native.kind && b < 0) natives += 1;
  });
  const isUser = (): boolean => (machine.cpu.cp0.status & USER) !== 0;
  for (let i = 0; i < 2_000_000; i += 1) {
    seen.code = -1;
    const wasUser = isUser();
    machine.run(1);
    // An interrupt is taken before an instruction: the one executed was the kernel's first.
    let count = code === EXCEPTIONS.interrupt ? 1 : 0;
    if (!wasUser || seen.code !== code || seen.vector !== vector || (!anywhere && seen.epc !== at)) continue;
    natives = 0;
    const before = machine.instructions;
    while (!isUser()) machine.run(1);
    count += machine.instructions - before;
    stop();
    expect(natives).toBe(0);
    return count;
  }
  stop();
  throw new Error('the exception did not come');
}

const at = (image: RawImage, label: string): number => image.runtime.symbols.get(label) ?? -1;

function looping(
  name: string,
  body: (a: Assembler) => void,
  more: Partial<Parameters<typeof rawImage>[0]> = {},
): RawImage {
  return rawImage({
    name,
    entry: 'go',
    emit: (a) => {
      a.label('go');
      body(a);
      a.b('go');
      a.nop();
      a.label('handler');
      a.b('handler');
      a.nop();
      a.label('server');
      emitCall(a, 'scall');
    },
    syncEntry: 'server',
    asyncEntry: 'server',
    ...more,
  });
}

function syscall(name: keyof typeof CALLS, prepare: (a: Assembler) => void = () => undefined): number {
  const image = looping(name, (a) => {
    prepare(a);
    a.li(V0, CALLS[name].number);
    a.label('at');
    a.syscall(0);
  });
  const other = looping('other', (a) => emitCall(a, 'null'));
  return measure(boot([image, other]), at(image, 'at'), { code: EXCEPTIONS.syscall });
}

function exception(code: number, body: (a: Assembler) => void): number {
  const image = looping('exception', (a) => {
    a.label('at');
    body(a);
  });
  return measure(boot([image]), at(image, 'at'), { code });
}

test('paths of the kernel, in instructions from the vector to user mode', () => {
  const costs: Record<string, number> = {};
  costs['null system call'] = syscall('null');
  costs['null system call with a stack'] = syscall('null_stack');
  costs['tick'] = syscall('tick');
  costs['exception to the application (break)'] = exception(EXCEPTIONS.breakpoint, (a) => a.break(0));
  costs['exception to the application (modify a read-only page)'] = exception(EXCEPTIONS.mod, (a) =>
    a.sw(V0, 0x2000, ZERO),
  );
  costs['synchronous protected control transfer'] = syscall('scall', (a) => a.li(V1, 1));
  costs['asynchronous protected control transfer'] = syscall('acall', (a) => a.li(V1, 1));
  costs['directed yield'] = syscall('yield', (a) => a.li(A0, 1));
  costs['yield to the next of two'] = syscall('yield', (a) => a.li(A0, -1));
  costs['tlbvad of a page not in the TLB'] = syscall('tlbvad', (a) => a.li(A0, WINDOW));

  for (const pages of [1, 100, 1024]) {
    costs[`tlbvad_range of ${pages}, not in the TLB`] = syscall('tlbvad_range', (a) => {
      a.li(A0, WINDOW);
      a.li(A1, pages);
    });
  }

  const binder = looping('binder', (a) => {
    a.li(A0, WINDOW);
    a.lw(A1, 0x1334, ZERO);
    a.lw(A2, 0x1338, ZERO);
    a.lw(A3, 0x133c, ZERO);
    a.sll(A1, A1, 12);
    a.ori(A1, A1, ENTRYLO.valid);
    a.li(V0, CALLS.tlbwr.number);
    a.label('at');
    a.syscall(0);
    a.lui(A0, WINDOW >>> 16);
    a.label('load');
    a.lw(V0, 0, A0);
    a.nop();
    a.label('empty');
    a.b('empty');
    a.nop();
  });
  const bound = boot([binder]);
  costs['tlbwr'] = measure(bound, at(binder, 'at'), { code: EXCEPTIONS.syscall });
  while (bound.machine.cpu.pc !== at(binder, 'empty')) bound.machine.run(1);
  for (let i = 8; i < 64; i += 1) bound.machine.cpu.tlb.write(i, REFILL, 0);
  // The next fetch misses, and the page of the text is in the STLB since its first use.
  costs['TLB refill from the STLB'] = measure(bound, 0, { code: EXCEPTIONS.tlbl, vector: REFILL, anywhere: true });

  const fresh = looping('fresh', (a) => {
    a.label('at');
    a.lw(V0, 0x7ffc, ZERO);
    a.nop();
  });
  costs['TLB refill from the seventh guaranteed mapping'] = measure(boot([fresh]), at(fresh, 'at'), {
    code: EXCEPTIONS.tlbl,
    vector: REFILL,
  });
  const missing = looping('missing', (a) => {
    a.label('at');
    a.lw(V0, 4, ZERO);
    a.nop();
  });
  costs['TLB miss to the application (past 8 guaranteed mappings)'] = measure(boot([missing]), at(missing, 'at'), {
    code: EXCEPTIONS.tlbl,
    vector: REFILL,
  });

  const spin = (a: Assembler): void => {
    a.label('at');
    a.b('at');
    a.nop();
  };
  const interrupt = { code: EXCEPTIONS.interrupt, anywhere: true } as const;
  costs['clock tick, nobody else'] = measure(boot([looping('alone', spin)]), 0, interrupt);
  costs['clock tick, end of slice'] = measure(boot([looping('one', spin), looping('two', spin)]), 0, interrupt);

  expect(costs).toMatchInlineSnapshot(`
    {
      "TLB miss to the application (past 8 guaranteed mappings)": 109,
      "TLB refill from the STLB": 19,
      "TLB refill from the seventh guaranteed mapping": 81,
      "asynchronous protected control transfer": 31,
      "clock tick, end of slice": 105,
      "clock tick, nobody else": 131,
      "directed yield": 84,
      "exception to the application (break)": 28,
      "exception to the application (modify a read-only page)": 28,
      "null system call": 18,
      "null system call with a stack": 34,
      "synchronous protected control transfer": 30,
      "tick": 21,
      "tlbvad of a page not in the TLB": 39,
      "tlbvad_range of 1, not in the TLB": 59,
      "tlbvad_range of 100, not in the TLB": 1346,
      "tlbvad_range of 1024, not in the TLB": 13358,
      "tlbwr": 58,
      "yield to the next of two": 142,
    }
  `);
});

test('a native call without a capability, in cycles of the ideal machine: 100, and 3 for each word', () => {
  const image = looping('native', (a) => emitCall(a, 'msg_free'));
  const booted = boot([image]);
  booted.machine.run(100_000);
  const lengths: number[] = [];
  let from = 0;
  booted.machine.listen((kind, cycle, a) => {
    if (kind === EVENT_KINDS.exception.kind && a === EXCEPTIONS.syscall) from = cycle;
    if (kind === EVENT_KINDS.return.kind && (a & USER) !== 0 && from !== 0) lengths.push(cycle - from);
  });
  booted.machine.run(1000);
  expect(new Set(lengths)).toEqual(new Set([132]));
});
