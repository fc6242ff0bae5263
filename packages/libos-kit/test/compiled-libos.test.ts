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

it("has words of asc's library at any address: texts of numbers, views, arrays turned round", async () => {
  const text = `
    function wrong(): i32 {
      let number: i64 = 0;
      for (let digits = 1; digits < 19; digits++) {
        number = 10 * number + (digits % 10);
        if (i64.parse(number.toString()) != number || i64.parse((-number).toString()) != -number) return digits;
        if (digits < 10 && (<i32>number).toString() != number.toString()) return 20 + digits;
      }
      const bytes = new Uint8Array(37);
      for (let i = 0; i < 37; i++) bytes[i] = <u8>i;
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < 8; i++) {
        view.setUint64(i, 0x0102030405060708 + i);
        if (view.getUint64(i) != 0x0102030405060708 + i || view.getUint32(i + 4) != 0x05060708 + i) return 40 + i;
        if (view.getUint16(i + 1) != 0x0203) return 50 + i;
      }
      for (let i = 0; i < 37; i++) bytes[i] = <u8>i;
      bytes.reverse();
      for (let i = 0; i < 37; i++) if (bytes[i] != 36 - i) return 60 + i;
      return 0;
    }
    export function main(): i32 { return wrong(); }`;
  const booted = boot([compiledLibOs([], await library(text)).alone()]);
  expect(booted.finish(0).map(exitOf)).toEqual([0]);
});

describe('pages', () => {
  const run = async (body: string, imports = ''): Promise<number | undefined> => {
    const text = `import { KIT_TABLE, PageTable } from '${KIT}/page-table';
      import { onFault } from '${KIT}/upcalls';
      ${imports}
      ${body}`;
    const booted = boot([compiledLibOs([], await library(text)).alone()]);
    return booted.finish(0).map(exitOf)[0];
  };

  it('of a region of its own get frames when they are touched, and give them back', async () => {
    const body = `
      const entries = memory.data(16 * 64);
      const table = new PageTable(entries, 0x10000000, 64);
      let faults = 0;
      export function main(): i32 {
        table.reserve(0x10000000, 64);
        onFault((address, cause) => { faults++; return table.fault(address, cause); });
        for (let i = 0; i < 64; i++) store<i32>(0x10000000 + 4096 * i, i);
        let sum = 0;
        for (let i = 0; i < 64; i++) sum += load<i32>(0x10000000 + 4096 * i);
        if (sum != 2016 || faults < 64) return -2;
        for (let i = 0; i < 64; i++) table.free(0x10000000 + 4096 * i, 1);
        const again = load<i32>(0x10000000 + 4096 * 63);
        // A call: what the load's fault counts is read behind it.
        table.free(0x10000000 + 4096 * 63, 1);
        return again == 0 ? faults : -3;
      }`;
    expect(await run(body)).toBeGreaterThanOrEqual(65);
  });

  it('are copied on write, and say whether they have been written', async () => {
    const body = `
      export function main(): i32 {
        onFault((address, cause) => KIT_TABLE.fault(address, cause));
        KIT_TABLE.reserve(0x600000, 2);
        store<i32>(0x600000, 7);
        const before = load<u32>(KIT_TABLE.entryOf(0x600000));
        KIT_TABLE.copyOnWrite(0x600000);
        if (load<i32>(0x600000) != 7 || KIT_TABLE.isDirty(0x600000)) return 1;
        store<i32>(0x600000, 8, 4);
        if (load<i32>(0x600000) != 7 || load<i32>(0x600000, 4) != 8 || load<u32>(KIT_TABLE.entryOf(0x600000)) == before) return 2;
        KIT_TABLE.clean(0x600000);
        if (KIT_TABLE.isDirty(0x600000)) return 3;
        store<i32>(0x600000, 9);
        if (!KIT_TABLE.isDirty(0x600000) || load<i32>(0x600000) != 9) return 4;
        return 0;
      }`;
    expect(await run(body)).toBe(0);
  });

  it('that are guarded are for the program to answer', async () => {
    const body = `
      let guarded = 0;
      export function main(): i32 {
        onFault((address, cause) => {
          if (KIT_TABLE.fault(address, cause)) return true;
          guarded++;
          KIT_TABLE.guard(address, false);
          return true;
        });
        KIT_TABLE.reserve(0x600000, 2);
        store<i32>(0x600000, 7);
        KIT_TABLE.guard(0x600000, true);
        KIT_TABLE.guard(0x601000, true);
        const sum = load<i32>(0x600000) + load<i32>(0x601000);
        return sum + 10 * guarded;
      }`;
    expect(await run(body)).toBe(27);
  });
});

it('has threads, each of which waits for itself', async () => {
  const text = `import { spawn, join, yieldThread } from '${KIT}/thread';
    import { pause } from '${KIT}/pause';
    import { clock_ticks } from '${KIT}/clock';
    const stack1 = memory.data(2048);
    const stack2 = memory.data(2048);
    let order = 0;
    function note(n: i32): void { order = order * 10 + n; }
    export function main(): i32 {
      const first = spawn((argument) => {
        const until = clock_ticks() + 4;
        while (clock_ticks() < until) pause(until);
        note(<i32>argument);
      }, 3, stack1 + 2048);
      const second = spawn((argument) => { note(1); yieldThread(); note(<i32>argument); }, 2, stack2 + 2048);
      join(second);
      join(first);
      return order;
    }`;
  const booted = boot([compiledLibOs([], await library(text)).alone()]);
  expect(booted.finish(0).map(exitOf)).toEqual([123]);
});
