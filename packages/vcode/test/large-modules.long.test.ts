/** Modules at the limits: none overflows the host's stack or asks it for more than it has; what is too large is refused by its code. */
import { I32, ModuleBuilder, WasmError, type FunctionBuilder } from '@exokernel/wasm';
import { describe, expect, test } from 'vitest';
import { compileChecked, compileOwn, fromWasm, instantiateModule, interpretModule, VcodeError } from '@exokernel/vcode';

/** A module of one function, of an argument and a result, exported as `f`. */
function single(write: (f: FunctionBuilder) => void): Uint8Array {
  const builder = new ModuleBuilder();
  const f = builder.function([I32], [I32]);
  write(f);
  builder.export('f', 'function', f.index);
  return builder.build();
}

/** Compiles everywhere, and runs where the host can: the result, or the code of what refused it. */
function outcome(bytes: Uint8Array, fuel = 10_000_000): string {
  try {
    const module = fromWasm(bytes);
    compileOwn(module, 0x10000, { grow: 0 });
    compileChecked(module, 0x10000);
    const runs = [interpretModule(module), instantiateModule(module)].map((instance) =>
      instance.call('f', [5], { fuel }),
    );
    expect(runs[1]).toEqual(runs[0]);
    return String(runs[0]?.values[0] ?? `status ${runs[0]?.status ?? ''}`);
  } catch (error) {
    if (error instanceof VcodeError || error instanceof WasmError) return error.code;
    throw error;
  }
}

/** The most blocks inside each other. */
const NESTED = 500;
const times = (count: number, write: () => void): void => {
  for (let i = 0; i < count; i += 1) write();
};

describe('nested as deep as is allowed', () => {
  test('blocks', () => {
    const bytes = single((f) => {
      times(NESTED, () => {
        f.block();
        f.localGet(0);
        f.i32Eqz();
        f.brIf(0);
      });
      times(NESTED, () => f.end());
      f.localGet(0);
    });
    expect(outcome(bytes)).toBe('5');
  });

  test('ifs', () => {
    const bytes = single((f) => {
      times(NESTED, () => {
        f.localGet(0);
        f.if();
      });
      f.localGet(0);
      f.i32Const(1);
      f.i32Add();
      f.localSet(0);
      times(NESTED, () => f.end());
      f.localGet(0);
    });
    expect(outcome(bytes)).toBe('6');
  });

  test('loops', () => {
    const bytes = single((f) => {
      times(NESTED, () => f.loop());
      times(NESTED, () => {
        f.localGet(0);
        f.i32Const(1);
        f.i32Sub();
        f.localTee(0);
        f.i32Const(0);
        f.i32GtS();
        f.brIf(0);
        f.end();
      });
      f.localGet(0);
    });
    // Five minus one in each loop: the innermost goes round until it is 0.
    expect(outcome(bytes)).toBe(String((0 - (NESTED - 1)) >>> 0));
  });

  test('deeper is refused', () => {
    const bytes = single((f) => {
      times(NESTED + 1, () => f.block());
      times(NESTED + 1, () => f.end());
      f.localGet(0);
    });
    expect(outcome(bytes)).toBe('limit');
  });
});

describe('long', () => {
  test('a chain of values', () => {
    const bytes = single((f) => {
      f.localGet(0);
      times(8000, () => {
        f.localGet(0);
        f.i32Mul();
        f.localGet(0);
        f.i32Xor();
      });
    });
    expect(outcome(bytes)).toMatch(/^\d+$/);
  });

  test('a row of calls', () => {
    const bytes = single((f) => {
      times(1000, () => {
        f.localGet(0);
        f.i32Eqz();
        f.if();
        f.localGet(0);
        f.call(0);
        f.localSet(0);
        f.end();
      });
      f.localGet(0);
    });
    expect(outcome(bytes)).toBe('5');
  });

  test('branches to one place', () => {
    const bytes = single((f) => {
      f.block();
      times(4000, () => {
        f.localGet(0);
        f.i32Eqz();
        f.brIf(0);
      });
      f.end();
      f.localGet(0);
    });
    expect(outcome(bytes)).toBe('5');
  });

  test('locals that change places in a loop', () => {
    const bytes = single((f) => {
      const locals = Array.from({ length: 3000 }, () => f.local(I32));
      locals.forEach((local, i) => {
        f.i32Const(i);
        f.localSet(local);
      });
      f.loop();
      for (const local of locals) f.localGet(local);
      locals.forEach((_, i) => {
        f.localSet(locals[i] ?? 0);
      });
      f.localGet(0);
      f.i32Const(1);
      f.i32Sub();
      f.localTee(0);
      f.brIf(0);
      f.end();
      f.localGet(locals[7] ?? 0);
    });
    // The order is turned round five times.
    expect(outcome(bytes)).toBe(String(3000 - 1 - 7));
  });

  test('a table of jumps', () => {
    const bytes = single((f) => {
      f.block();
      f.block();
      f.localGet(0);
      f.brTable(
        Array.from({ length: 20_000 }, (_, i) => i % 2),
        0,
      );
      f.end();
      f.i32Const(77);
      f.localSet(0);
      f.end();
      f.localGet(0);
    });
    expect(outcome(bytes)).toBe('5');
  });

  test('a stack of operands', () => {
    const bytes = single((f) => {
      times(8000, () => {
        f.localGet(0);
        f.i32Const(3);
        f.i32Rotl();
      });
      f.i32Const(9);
      f.localSet(0);
      times(7999, () => f.i32Xor());
    });
    expect(outcome(bytes)).toBe('0');
  });

  test('a module of many functions', () => {
    const builder = new ModuleBuilder();
    const functions = Array.from({ length: 3000 }, () => builder.function([I32], [I32]));
    functions.forEach((f, i) => {
      f.localGet(0);
      f.i32Const(i);
      f.i32Add();
      builder.export(i === 0 ? 'f' : `f${i}`, 'function', f.index);
    });
    builder.table(functions.map(({ index }) => index));
    expect(outcome(builder.build())).toBe('5');
  });
});

describe('too large is refused', () => {
  test('a function of many instructions', () => {
    const bytes = single((f) => {
      times(60_000, () => f.nop());
      f.localGet(0);
    });
    expect(outcome(bytes)).toBe('limit');
  });

  test('many locals and many branches', () => {
    const bytes = single((f) => {
      times(40_000, () => f.local(I32));
      f.block();
      times(10_000, () => {
        f.localGet(0);
        f.brIf(0);
      });
      f.end();
      f.localGet(0);
    });
    expect(outcome(bytes)).toBe('limit');
  });

  test('a memory of four gigabytes', () => {
    // Section 5, of the memory; section 1, 3, 7 and 10 of a function that does nothing.
    const bytes = Uint8Array.of(
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 5, 1, 0, 0xff, 0xff, 3],
      ...[7, 5, 1, 1, 0x66, 0, 0, 10, 4, 1, 2, 0, 0x0b],
    );
    expect(outcome(bytes)).toBe('limit');
  });

  test('many locals in many functions', () => {
    const builder = new ModuleBuilder();
    for (let i = 0; i < 30; i += 1) {
      const f = builder.function([I32], [I32]);
      times(40_000, () => f.local(I32));
      f.localGet(0);
    }
    expect(outcome(builder.build())).toBe('limit');
  });
});
