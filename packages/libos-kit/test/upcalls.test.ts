/**
 * Upcalls at every moment: an end of slice at every instruction of the way into and out of them leaves the program right, which checks every
 * register; and upcalls that err end their own environment alone.
 */
import { ENV, ENV_STATUS } from '@exokernel/abi';
import { REGISTER_NAMES, RA, S0, S1, T1, T2, V0, ZERO, effects, type Assembler } from '@exokernel/isa';
import { expect, test } from 'vitest';
import {
  BystanderWatch,
  DUMP,
  EVENT_KINDS,
  REGISTERS,
  boot,
  bystander,
  checkInvariants,
  emitDump,
  emitFill,
  emitRoutine,
  exitOf,
  pattern,
  quicken,
} from '../../testkit/src/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import {
  KIT_TEXT,
  LIBRARY_MEMORY,
  address,
  compiledLibOs,
  compiledLibrary,
  compose,
  machineProgram,
  type CompiledLibOs,
} from '../src/index.ts';
import { kitSource } from '../src/node/index.ts';

const KIT = '@exokernel/libos-kit/assembly';
const USER = 2;
/** Where the program's stores fault until they are told. */
const PAGE = 0x600000;

async function libos(text: string): Promise<CompiledLibOs<never>> {
  const { wasm, diagnostics, placeOf } = await compileAssemblyScript(
    (file) => (file === 'main.ts' ? text : kitSource(file)),
    'main.ts',
    { memoryBase: LIBRARY_MEMORY, exportTable: true },
  );
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  return compiledLibOs([], compiledLibrary('test', wasm, placeOf));
}

/** Fills all registers, traps and faults many times, and looks whether any has changed; gives the number of one that has. */
function emitProgram(a: Assembler, rounds: number): void {
  const others = new Map([[S0, PAGE]]);
  a.li(T1, rounds);
  a.sw(T1, DUMP + 0x100, ZERO);
  a.sw(RA, DUMP + 0x104, ZERO);
  a.label('round');
  a.bal('upcalls');
  a.nop();
  for (const r of REGISTERS.filter((one) => REGISTER_NAMES[one] !== 'k1')) {
    a.lw(T1, DUMP + 4 * r, ZERO);
    a.li(T2, others.get(r) ?? pattern(r));
    a.bne(T1, T2, 'done');
    a.li(V0, r);
  }
  a.lw(T1, DUMP + 0x100, ZERO);
  a.nop();
  a.addiu(T1, T1, -1);
  a.bnez(T1, 'round');
  a.sw(T1, DUMP + 0x100, ZERO);
  a.move(V0, ZERO);
  a.label('done');
  a.lw(RA, DUMP + 0x104, ZERO);
  a.nop();
  a.ret();
  a.nop();
  emitRoutine(a, 'upcalls', () => {
    emitFill(a, others);
    for (let i = 0; i < 8; i += 1) {
      a.sw(S1, 4 * i, S0);
      a.lw(S1, 4 * i, S0);
      a.break(0);
      a.xor(T1, T1, S1);
      a.xor(T1, T1, S1);
    }
    emitDump(a);
  });
}

/** Every upcall is there; slices touch memory, and make the next store fault again. */
const EVERYTHING = `
  import { KIT_TABLE } from '${KIT}/page-table';
  import { onException, onFault, onSliceBegin, onSliceEnd } from '${KIT}/upcalls';
  let begun = 0;
  let ended = 0;
  KIT_TABLE.reserve(${PAGE}, 1);
  onFault((address, cause) => KIT_TABLE.fault(address, cause));
  onException((address, cause, registers) => {
    registers.set(34, registers.pc + 4);
    return true;
  });
  onSliceBegin(() => { begun++; KIT_TABLE.clean(${PAGE}); });
  onSliceEnd(() => { ended++; });
`;

test('an end of slice at every instruction of an upcall', async () => {
  const os = await libos(EVERYTHING);
  const program = (rounds: number): ReturnType<typeof compose> =>
    compose(
      os,
      machineProgram('upcalls', [], 0, (a) => {
        emitProgram(a, rounds);
      }),
    );
  const { words } = os.runtime;
  const upcalls = { from: address(os.runtime, 'upcall.unsafe'), to: address(os.runtime, 'upcall.fail') };
  // Interrupts are not reported in delay slots.
  const isWanted = (pc: number): boolean =>
    pc >= upcalls.from && pc < upcalls.to && !effects(words[(pc - 4 - KIT_TEXT) / 4] ?? 0).branches;

  /** How often each is executed at the usual pace. */
  const executed = (rounds: number): Map<number, number> => {
    const usual = boot([program(rounds)]);
    const { cpu } = usual.machine;
    const { memory } = usual.aegis.parts;
    const often = new Map<number, number>();
    while (memory.env(0, ENV.status) !== ENV_STATUS.dead) {
      if ((cpu.cp0.status & USER) !== 0 && isWanted(cpu.pc)) often.set(cpu.pc, (often.get(cpu.pc) ?? 0) + 1);
      usual.machine.run(1);
    }
    expect(exitOf(usual.aegis.environment(0))).toBe(0);
    return often;
  };
  // Those of every round: others are of the start.
  const [few, many] = [executed(1), executed(5)];
  const missing = new Set([...many].filter(([pc, times]) => times > (few.get(pc) ?? 0) + 3).map(([pc]) => pc));
  expect(missing.size).toBeGreaterThan(100);

  const booted = boot([program(1_000_000)]);
  quicken(booted, 8192);
  booted.machine.listen((kind, _cycle, code, epc) => {
    if (kind === EVENT_KINDS.exception.kind && code === 0) missing.delete(epc);
  });
  booted.runUntil(() => missing.size === 0 || booted.aegis.parts.memory.env(0, ENV.status) === ENV_STATUS.dead, 20);
  const { status, exit } = booted.aegis.environment(0);
  expect({ status, exit }).toEqual({ status: 'runnable', exit: 0 });
  expect([...missing].map((pc) => pc.toString(16))).toEqual([]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

/** Upcalls that err: the environment ends, or turns on the spot, and no other notices. */
const ERRING: Readonly<Record<string, string>> = {
  'no answer': 'onFault((address, cause) => false); load32(0x600000);',
  'an upcall that faults for ever': 'onFault((address, cause) => load<u32>(address) != 0); load32(0x600000);',
  'an upcall that recurses': 'onFault((address, cause) => deep(<i32>address) > 0); load32(0x600000);',
  'an exception without a handler': 'unreachable();',
  'a number that is no function': 'store<u32>(UKIT.upcalls, 0x7fffffff); load32(0x600000);',
  'a context that is nonsense':
    'onException((address, cause, registers) => { registers.set(34, 3); registers.set(29, 5); return true; }); unreachable();',
  'an upcall at the end of each slice that never returns': 'onSliceEnd(() => { while (true) {} }); while (true) {}',
  'a record of upcalls in the kernel':
    'store<u32>(UKIT.library, 0x80000000); onFault((address, cause) => true); load32(0x600000);',
};

test.each(Object.keys(ERRING))('%s hurts the environment alone', async (what) => {
  const text = `import { UKIT } from '${KIT}/abi';
    import { onException, onFault, onSliceEnd } from '${KIT}/upcalls';
    import { load32 } from '${KIT}/kit';
    function deep(n: i32): i32 { return n <= 0 ? n : deep(n - 1) + deep(n - 2); }
    export function main(): i32 { ${ERRING[what] ?? ''} return deep(1) + <i32>UKIT.library; }
    export function keep(): void { onException((a, b, c) => false); onFault((a, b) => false); onSliceEnd(() => {}); }`;
  const booted = boot([(await libos(text)).alone()]);
  const watch = new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
  booted.runUntil(() => {
    watch.look();
    return booted.aegis.environment(0).status === 'dead';
  }, 1);
  expect(booted.aegis.environment(0).status).toBe(what.includes('nonsense') ? 'runnable' : 'dead');
  expect(watch.damage()).toEqual([]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
