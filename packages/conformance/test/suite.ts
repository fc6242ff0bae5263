/** The suite for one library operating system, on machines with so many slices a second. */
import type { InterfaceName, LibOs } from '@exokernel/libos-kit';
import { describe, test } from 'vitest';
import { conformance, type ConformanceOptions } from '../src/index.ts';
import { bootAt } from './machine.ts';

export function suite<P extends InterfaceName>(
  libos: LibOs<P>,
  hertz: Parameters<typeof bootAt>[0],
  options?: ConformanceOptions,
): void {
  describe(`${libos.name}, ${hertz ?? 64} slices a second`, () => {
    for (const { name, run } of conformance(libos, bootAt(hertz), options)) test(name, run);
  });
}
