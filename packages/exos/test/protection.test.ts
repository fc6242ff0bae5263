/** Pages that a program protects, and its handler, on both structures of page tables. */
import { PAGE_BYTES } from '@exokernel/abi';
import { A0, A1, RA, S0, S1, S2, S3, SP, T0, T3, V0, ZERO, register, type Assembler } from '@exokernel/isa';
import { compose, machineProgram, program, type EntryPoint, type Fiber, type Interfaces } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { BAD_ADDRESS, UEXOS, exos, exosInverted } from '../src/index.ts';
import { boot, checkInvariants, exitOf, quicken } from '../../testkit/src/index.ts';

const NEEDS = ['memory', 'protection'] as const;
type Os = Pick<Interfaces, 'memory' | 'protection' | 'processes'>;
type Call = (name: EntryPoint<(typeof NEEDS)[number]>) => void;

describe.each([exos, exosInverted])('$name', (libos) => {
  /** A program with eight pages at s0. */
  function machine(emit: (a: Assembler, call: Call) => void): ReturnType<typeof compose> {
    return compose(
      libos,
      machineProgram('protector', NEEDS, PAGE_BYTES, (a, os) => {
        const call: Call = (name) => {
          a.jal(os.entry(name));
          a.nop();
        };
        a.addiu(SP, SP, -8);
        a.sw(RA, 4, SP);
        a.li(A0, 8 * PAGE_BYTES);
        call('memory_allocate');
        a.move(S0, V0);
        emit(a, call);
        a.label('end');
        a.lw(RA, 4, SP);
        a.addiu(SP, SP, 8);
        a.ret();
        a.nop();
      }),
    );
  }

  function fiber(main: (os: Os) => Fiber<number>): number {
    const booted = boot([compose(libos, program('protector', ['memory', 'protection', 'processes'], main))]);
    const exits = booted.finish(0).map(exitOf);
    expect(checkInvariants(booted.aegis)).toEqual([]);
    return exits[0] ?? -1;
  }

  test('ranges that are none are refused, and change nothing', () => {
    expect(
      fiber(function* ({ memory, protection }) {
        const at = yield* memory.allocate(4 * PAGE_BYTES);
        yield* memory.store(at, 5);
        const ranges = [
          [0, 1],
          [0x3ff000, 1],
          [0x800000, 1],
          [-1, 1],
          [-4096, 2],
          [at, 0],
          [at, -1],
          [at, 1025],
          [at, 0x7fffffff],
          [0x3ff000, 2],
          [0x7ff000, 2],
        ] as const;
        for (const [i, [va, pages]] of ranges.entries()) {
          if ((yield* protection.protect(va, pages)) !== -1) return 1 + i;
          if ((yield* protection.unprotect(va, pages)) !== -1) return 21 + i;
          if ((yield* protection.clean(va, pages)) !== -1) return 41 + i;
        }
        for (const va of [0, -1, 0x3fffff, 0x800000]) if ((yield* protection.dirty(va)) !== -1) return 61;
        return (yield* memory.load(at)) === 5 ? 0 : 62;
      }),
    ).toBe(0);
  });

  test('a protected page ends a process that has no handler; one that was unprotected does not', () => {
    for (const pages of [1, 3]) {
      const main = (unprotect: boolean) =>
        function* ({ memory, protection }: Os): Fiber<number> {
          const at = yield* memory.allocate(4 * PAGE_BYTES);
          yield* memory.store(at, 5);
          if ((yield* protection.protect(at, pages)) !== 0) return 1;
          if (unprotect && (yield* protection.unprotect(at, pages)) !== 0) return 2;
          return yield* memory.load(at);
        };
      expect(fiber(main(false))).toBe(BAD_ADDRESS);
      expect(fiber(main(true))).toBe(5);
    }
  });

  test('a page is dirty when it was written, clean when it was cleaned, and a reader leaves it so', () => {
    expect(
      fiber(function* ({ memory, protection }) {
        const at = yield* memory.allocate(3 * PAGE_BYTES);
        for (let i = 0; i < 3; i += 1) yield* memory.store(at + i * PAGE_BYTES, i + 1);
        if ((yield* protection.dirty(at + 5000)) !== 1) return 1;
        if ((yield* protection.clean(at, 3)) !== 0) return 2;
        for (let i = 0; i < 3; i += 1) if ((yield* protection.dirty(at + i * PAGE_BYTES)) !== 0) return 3;
        if ((yield* memory.load(at)) !== 1 || (yield* protection.dirty(at)) !== 0) return 4;
        yield* memory.store(at + PAGE_BYTES, 7);
        if ((yield* protection.dirty(at)) !== 0 || (yield* protection.dirty(at + PAGE_BYTES)) !== 1) return 5;
        return yield* memory.load(at + PAGE_BYTES);
      }),
    ).toBe(7);
  });

  test('a fork copies clean and protected pages like others, and the child has them protected', () => {
    expect(
      fiber(function* ({ memory, protection, processes }) {
        const at = yield* memory.allocate(2 * PAGE_BYTES);
        yield* memory.store(at, 1);
        yield* memory.store(at + PAGE_BYTES, 2);
        yield* protection.clean(at, 1);
        yield* protection.protect(at + PAGE_BYTES, 1);
        yield* processes.fork(function* () {
          yield* memory.store(at, 10);
          yield* memory.load(at + PAGE_BYTES);
          return 0;
        });
        if ((yield* processes.wait())?.code !== BAD_ADDRESS) return 1;
        yield* processes.fork(function* () {
          yield* memory.store(at, 10);
          yield* protection.unprotect(at + PAGE_BYTES, 1);
          yield* memory.store(at + PAGE_BYTES, 20);
          return yield* memory.load(at + PAGE_BYTES);
        });
        if ((yield* processes.wait())?.code !== 20) return 2;
        yield* protection.unprotect(at + PAGE_BYTES, 1);
        return 10 * (yield* memory.load(at)) + (yield* memory.load(at + PAGE_BYTES));
      }),
    ).toBe(12);
  });

  test('the handler mends what it is told of, and every register is as it was, whenever slices end', () => {
    const image = machine((a, call) => {
      a.li(S3, 300);
      a.la(A0, 'handler');
      call('vm_handler');
      a.label('round');
      a.move(A0, S0);
      a.li(A1, 8);
      call('vm_protect');
      a.bnez(V0, 'wrong');
      a.move(S1, S0);
      a.li(S2, 8);
      a.label('touch');
      // Everything that a handler may change, and some that it may not, holds its own number.
      const kept = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25].map(register);
      for (const r of kept) a.li(r, r + 100);
      a.lw(register(30), 0, S1);
      for (const r of kept) {
        a.addiu(r, r, -100 - r);
        a.bnez(r, 'wrong');
        a.nop();
      }
      a.addiu(S2, S2, -1);
      a.bnez(S2, 'touch');
      a.addiu(S1, S1, PAGE_BYTES);
      a.addiu(S3, S3, -1);
      a.bnez(S3, 'round');
      a.nop();
      a.lw(V0, UEXOS.program, ZERO);
      a.li(T0, 2400);
      a.bne(V0, T0, 'wrong');
      a.nop();
      a.b('end');
      a.li(V0, 42);
      a.label('wrong');
      a.b('end');
      a.li(V0, 13);
      a.label('handler');
      a.addiu(SP, SP, -8);
      a.sw(RA, 4, SP);
      a.lw(T0, UEXOS.program, ZERO);
      a.li(A1, 1);
      a.addiu(T0, T0, 1);
      a.sw(T0, UEXOS.program, ZERO);
      call('vm_unprotect');
      a.lw(RA, 4, SP);
      a.addiu(SP, SP, 8);
      a.ret();
      a.nop();
    });
    for (const hertz of [undefined, 8192] as const) {
      const booted = boot([image, image]);
      if (hertz !== undefined) quicken(booted, hertz);
      expect(booted.finish(0, 1).map(exitOf), String(hertz)).toEqual([42, 42]);
      expect(checkInvariants(booted.aegis)).toEqual([]);
    }
  });

  test('a handler may take page faults of its own; a protected page under it is the end', () => {
    const image = (other: number): ReturnType<typeof compose> =>
      machine((a, call) => {
        a.la(A0, 'handler');
        call('vm_handler');
        a.move(A0, S0);
        a.li(A1, 2);
        call('vm_protect');
        a.li(T3, 7);
        a.sw(T3, 0, S0);
        a.lw(V0, other, S0);
        a.b('end');
        a.addu(V0, V0, T3);
        a.label('handler');
        a.addiu(SP, SP, -8);
        a.sw(RA, 4, SP);
        // Has no frame yet, or is protected.
        a.sw(A0, other, S0);
        a.li(A1, 1);
        call('vm_unprotect');
        a.sw(ZERO, other, S0);
        a.lw(RA, 4, SP);
        a.addiu(SP, SP, 8);
        a.ret();
        a.nop();
      });
    expect(
      boot([image(4 * PAGE_BYTES)])
        .finish(0)
        .map(exitOf),
    ).toEqual([7]);
    expect(
      boot([image(PAGE_BYTES)])
        .finish(0)
        .map(exitOf),
    ).toEqual([BAD_ADDRESS]);
  });
});
