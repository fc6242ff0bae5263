/** Every library operating system of the workspace, also with slices of half a millisecond, whose ends come anywhere. */
import { describe, test } from 'vitest';
import { batch } from '../../batch/src/index.ts';
import { exos, exosInverted } from '../../exos/src/index.ts';
import { conformance } from '../src/index.ts';
import { bootAt } from './machine.ts';

describe.each([undefined, 2048] as const)('slices a second: %s', (hertz) => {
  const boot = bootAt(hertz);
  describe('batch', () => {
    for (const { name, run } of conformance(batch, boot)) test(name, run);
  });
  describe('exos', () => {
    for (const { name, run } of conformance(exos, boot)) test(name, run);
  });
  describe('exos with inverted page tables', () => {
    for (const { name, run } of conformance(exosInverted, boot)) test(name, run);
  });
});
