import { expect, test } from 'vitest';
import { add, createMemory, decodeProgram, defineProgram, encodeProgram, instantiate, maxCost } from '../src/index.ts';

test('the snippet of the README', () => {
  // The sum of the first eight bytes of a message, or an abort if there are fewer.
  const program = defineProgram('sum', (b) => {
    const message = b.region('message', 'r');
    const sum = b.local('sum');
    b.require(message, 0, 8);
    b.for('i', 8, (i) => {
      b.set(sum, add(sum, message.u8(i)));
    });
    b.return(sum);
  });

  const bytes = encodeProgram(program); // send it; the receiver decodes and validates
  const received = decodeProgram(bytes); // throws VcodeError 'malformed' on anything that is not a program
  const bound = maxCost(received); // no run uses more fuel than this

  const memory = createMemory(65536);
  new Uint8Array(memory.buffer).set([1, 2, 3, 4, 5, 6, 7, 8], 1024);
  const { run, status, fuel } = instantiate(received, memory);
  const value = run(1000, 1024, 8); // fuel, then base and length of each region
  // value is 36, status() is 0, fuel() is what is left of 1000

  expect([value, status()]).toEqual([36, 0]);
  expect(1000 - fuel()).toBeLessThanOrEqual(bound ?? 0);
  expect(run(1000, 1024, 7)).toBe(0);
  expect(status()).toBe(1);
});
