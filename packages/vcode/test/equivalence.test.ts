import { expect, test } from 'vitest';
import fc from 'fast-check';
import { ABORT_FUEL, ABORT_OWN, maxCost, sectionCosts } from '../src/index.ts';
import { randomInput, randomProgram } from './random-program.ts';
import { onInterpreter, onMips, onWasm } from './three-back-ends.ts';

const RUNS = Number(
  (globalThis as { process?: { env: Record<string, string | undefined> } }).process?.env['VCODE_RUNS'] ?? 1500,
);

/** What executes beyond what is charged when the fuel runs out: an entry sequence, or a head, and the way out. */
const FUEL_EXIT = 48;

test('interpreter, WebAssembly and MIPS agree on value, status, fuel and memory, and what executes is paid for', () => {
  const seen = new Map<number, number>();
  fc.assert(
    fc.property(randomProgram, randomInput, (program, input) => {
      const bindings = {
        regions: [input.bytes.subarray(0, input.inLength), input.bytes.subarray(64, 64 + input.outLength)],
        parameters: input.parameters,
        fuel: input.fuel,
      };
      const meaning = onInterpreter(program, bindings);
      const { executed, compiled, ...mips } = onMips(program, bindings);
      const status = Math.min(meaning.status, ABORT_OWN);
      seen.set(status, (seen.get(status) ?? 0) + 1);
      expect(mips).toEqual(meaning);
      expect(onWasm(program, bindings)).toEqual(meaning);
      const charged = bindings.fuel - meaning.fuel;
      expect(executed).toBeLessThanOrEqual(meaning.status === ABORT_FUEL ? charged + FUEL_EXIT : charged);
      expect(compiled.costs).toEqual(sectionCosts(program));
      const most = maxCost(program);
      if (most !== undefined && meaning.status !== ABORT_FUEL) expect(charged).toBeLessThanOrEqual(most);
    }),
    { numRuns: RUNS },
  );
  // The property is empty if programs all end the same way.
  for (const status of [0, 1, 2, 3, ABORT_OWN])
    expect(seen.get(status) ?? 0, `runs with status ${status}`).toBeGreaterThan(0);
});
