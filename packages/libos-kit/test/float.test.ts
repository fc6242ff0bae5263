/** Floating-point registers of environments that share the unit: each keeps its own. */
import { A0, RA, T0, T1, V0, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, exitOf, quicken } from '../../testkit/src/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import { LIBRARY_MEMORY, compiledLibOs, compiledLibrary, compose, machineProgram } from '../src/index.ts';
import { kitSource } from '../src/node/index.ts';

const KIT = '@exokernel/libos-kit/assembly';
/** Where the program keeps its words: entries of pages that it has not. */
const KEPT = 0x4100;

test('each environment has its own floating-point registers, over ends of slices and sleeps', async () => {
  const text = `export { clock_sleep, clock_ticks } from '${KIT}/clock';`;
  const { wasm } = await compileAssemblyScript((file) => (file === 'main.ts' ? text : kitSource(file)), 'main.ts', {
    memoryBase: LIBRARY_MEMORY,
    exportTable: true,
  });
  const os = compiledLibOs(['clock'], compiledLibrary('clocked', wasm ?? new Uint8Array()));
  // All 32 registers have values of this program's own; now and then it sleeps. Gives 0, or 1 + the register that has changed.
  const program = (seed: number): ReturnType<typeof compose> =>
    compose(
      os,
      machineProgram(`floats ${seed}`, ['clock'], 0, (a, { entry }) => {
        a.sw(RA, KEPT, ZERO);
        for (let f = 0; f < 32; f += 1) {
          a.li(T0, seed * 1000 + f);
          a.mtc1(T0, f);
        }
        a.li(T0, 0x800003);
        a.ctc1(T0, 31);
        a.li(T0, 30);
        a.sw(T0, KEPT + 4, ZERO);
        a.label('round');
        a.li(T0, 2000);
        a.label('spin');
        a.bnez(T0, 'spin');
        a.addiu(T0, T0, -1);
        a.li(T1, entry('clock_sleep'));
        a.jalr(RA, T1);
        a.li(A0, 1);
        for (let f = 0; f < 32; f += 1) {
          a.mfc1(T0, f);
          a.li(T1, seed * 1000 + f);
          a.bne(T0, T1, 'done');
          a.li(V0, 1 + f);
        }
        a.cfc1(T0, 31);
        a.li(T1, 0x800003);
        a.bne(T0, T1, 'done');
        a.li(V0, 33);
        a.lw(T0, KEPT + 4, ZERO);
        a.nop();
        a.addiu(T0, T0, -1);
        a.bnez(T0, 'round');
        a.sw(T0, KEPT + 4, ZERO);
        a.move(V0, ZERO);
        a.label('done');
        a.lw(RA, KEPT, ZERO);
        a.nop();
        a.ret();
        a.nop();
      }),
    );
  for (const hertz of [64, 8192] as const) {
    const booted = boot([program(1), program(2), program(3)]);
    if (hertz !== 64) quicken(booted, hertz);
    expect(booted.finish(0, 1, 2).map(exitOf)).toEqual([0, 0, 0]);
  }
});
