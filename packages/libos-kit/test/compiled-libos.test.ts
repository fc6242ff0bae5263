/** Library operating systems that were compiled. */
import { describe, expect, it } from 'vitest';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import { boot, exitOf } from '../../testkit/src/index.ts';
import { compiledLibOs, compiledLibrary, LIBRARY_MEMORY, type CompiledLibrary } from '../src/index.ts';
import { kitSource } from '../src/node/index.ts';

async function library(text: string): Promise<CompiledLibrary> {
  const { wasm, diagnostics, placeOf } = await compileAssemblyScript(
    (file) => (file === 'main.ts' ? text : kitSource(file)),
    'main.ts',
    { memoryBase: LIBRARY_MEMORY, exportTable: true },
  );
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  return compiledLibrary('test', wasm, placeOf);
}

const KIT = '@exokernel/libos-kit/assembly';

describe('a library operating system that is compiled', () => {
  it('is a program by itself', async () => {
    const text = `import { print } from '${KIT}/console';
      import { clock_ticks, clock_sleep } from '${KIT}/clock';
      export function main(): i32 {
        const before = clock_ticks();
        clock_sleep(3);
        print('slept\\n');
        return clock_ticks() - before;
      }`;
    const booted = boot([compiledLibOs([], await library(text)).alone()]);
    expect(booted.finish(0).map(exitOf)).toEqual([3]);
    booted.runUntil(() => booted.serial(3).length === 6);
    expect(booted.serial(3)).toBe('slept\n');
  });

  it('hears of faults and answers them', async () => {
    const text = `import { onFault } from '${KIT}/upcalls';
      import { PLACE, PTE, PTE_SOFT } from '${KIT}/abi';
      let faults = 0;
      export function main(): i32 {
        onFault((address, cause) => {
          faults++;
          if (address != 0x600000) return false;
          // The kit fills it with zeros then.
          store<u32>(PLACE.pageTable + 16 * ((address - PLACE.paged) >> 12), PTE_SOFT.zeroFill);
          return true;
        });
        store<u32>(0x600000, 41);
        return load<u32>(0x600000) + faults;
      }`;
    const booted = boot([compiledLibOs([], await library(text)).alone()]);
    expect(booted.finish(0).map(exitOf)).toEqual([42]);
  });
});
