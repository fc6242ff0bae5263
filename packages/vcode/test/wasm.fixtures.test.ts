/**
 * The integer part of WebAssembly's test suite, where there are files of it: the checked profile on its three back ends, the own profile on
 * MIPS but for the differences that docs/compiler.md lists. The files lie in the folder `wasm` of `EXOKERNEL_FIXTURES`.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validateModule, WasmError } from '@exokernel/wasm';
import { describe, expect, test } from 'vitest';
import { fromWasm, instantiateModule, interpretModule, VcodeError, type Module, type Value } from '@exokernel/vcode';
import { Exception } from './cpu.ts';
import { CheckedMips, OwnMips } from './on-mips.ts';

type Typed = readonly [type: string, value: string];
type Command =
  | { readonly type: 'module'; readonly line: number; readonly bytes: string }
  | { readonly type: 'invalid'; readonly line: number; readonly bytes: string; readonly text: string }
  | {
      readonly type: 'action' | 'assert_return' | 'assert_trap' | 'assert_exhaustion';
      readonly line: number;
      readonly field: string;
      readonly args: readonly Typed[];
      readonly expected?: readonly Typed[];
      readonly text?: string;
    };
type Call = Exclude<Command, { readonly bytes: string }>;

const FOLDER = join(
  process.env['EXOKERNEL_FIXTURES'] ?? join(import.meta.dirname, '../../../../shared/fixtures'),
  'wasm',
);
const files = (existsSync(FOLDER) ? readdirSync(FOLDER) : [])
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) =>
    Object.entries(
      JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Readonly<Record<string, readonly Command[]>>,
    ),
  );
const FUEL = 20_000_000;
const ABORT_UNREACHABLE = 6;

const valueOf = ([type, value]: Typed): Value => (type === 'i64' ? BigInt(value) : Number(value));
const isTrap = ({ type }: Call): boolean => type === 'assert_trap' || type === 'assert_exhaustion';
const silent = { get: () => (): readonly Value[] => [] };
/** Functions that the suite's host gives: they print. */
const IMPORTS = new Proxy<Record<string, () => readonly Value[]>>({}, silent);

function load(bytes: string): Module | string {
  try {
    const code = Buffer.from(bytes, 'base64');
    // The suite's host has a memory of one page, which may become two.
    const isImported = validateModule(code).imports.some(({ kind }) => kind === 'memory');
    return fromWasm(code, {
      floats: 'trap',
      globals: { 'spectest.global_i32': 666, 'spectest.global_i64': 666n },
      pages: 1,
      ...(isImported ? { mostPages: 2 } : {}),
    });
  } catch (error) {
    if (error instanceof WasmError || error instanceof VcodeError) return error.code;
    throw error;
  }
}

/** Modules with what they are called for; what has a second memory or references is refused, and not called. */
function modulesOf(commands: readonly Command[]): { readonly module: Module; readonly calls: readonly Call[] }[] {
  const found: { module: Module; calls: Call[] }[] = [];
  let calls: Call[] | undefined;
  for (const command of commands) {
    if (command.type === 'invalid') continue;
    if (command.type !== 'module') {
      calls?.push(command);
      continue;
    }
    const module = load(command.bytes);
    calls = typeof module === 'string' ? undefined : [];
    if (typeof module === 'string') expect(module, `line ${command.line}`).toBe('unsupported');
    else if (calls !== undefined) found.push({ module, calls });
  }
  return found;
}

/** Whether the function, or one that it calls, was refused for its floating point. */
const usesFloats = (call: Call, status: number): boolean => status === ABORT_UNREACHABLE && !isTrap(call);

test.runIf(files.length === 0)('skipped: there are no fixtures for WebAssembly', (context) => {
  context.skip();
});

describe.each(files)('%s', (name, commands) => {
  // One of them makes its memory 803 pages long: as much for all would take the host's time.
  const mostBytes = (name.startsWith('memory_grow') ? 900 : 400) * 65536;
  test('invalid modules are refused', () => {
    for (const command of commands) {
      if (command.type !== 'invalid') continue;
      expect(['malformed', 'invalid', 'unsupported', 'limit'], `line ${command.line}: ${command.text}`).toContain(
        load(command.bytes),
      );
    }
  });

  test('the checked profile on three back ends', () => {
    for (const { module, calls } of modulesOf(commands)) {
      const options = { imports: IMPORTS, mostBytes: Math.max(mostBytes, (module.memory?.pages ?? 0) * 65536) };
      const interpreter = interpretModule(module, options);
      const host = instantiateModule(module, options);
      const mips = new CheckedMips(module, options.mostBytes);
      for (const call of calls) {
        const where = `line ${call.line}: ${call.field}`;
        const values = call.args.map(valueOf);
        const meaning = interpreter.call(call.field, values, { fuel: FUEL });
        expect(host.call(call.field, values, { fuel: FUEL }), where).toEqual(meaning);
        expect(mips.call(call.field, values, FUEL), where).toMatchObject(meaning);
        if (usesFloats(call, meaning.status)) continue;
        if (isTrap(call)) expect(meaning.status, where).not.toBe(0);
        else expect(meaning.status, where).toBe(0);
        if (call.expected !== undefined) expect(meaning.values, where).toEqual(call.expected.map(valueOf));
      }
      expect(Buffer.compare(interpreter.memory(), host.memory())).toBe(0);
      expect(Buffer.compare(interpreter.memory(), mips.memory())).toBe(0);
    }
  });

  // `memory.grow` is the kit's.
  test.skipIf(/^memory_(grow|size)/.test(name))('the own profile on MIPS', () => {
    for (const { module, calls } of modulesOf(commands)) {
      const own = new OwnMips(module);
      for (const call of calls) {
        // Recursion without end meets a guard page; an access outside the memory, the MMU; the least number by -1 gives a number; memory
        // grows if the kit says so.
        if (call.type === 'assert_exhaustion' || /out of bounds|overflow/.test(call.text ?? '')) continue;
        if (call.field.includes('grow')) continue;
        const where = `line ${call.line}: ${call.field}`;
        let words: readonly number[];
        try {
          const { v0, v1 } = own.call(call.field, call.args.map(valueOf));
          words = [v0, v1];
        } catch (error) {
          if (!(error instanceof Exception)) throw error;
          if (isTrap(call) || error.code === ABORT_UNREACHABLE) continue;
          // A promise about the alignment that is broken is an address error.
          expect(error.code, where).toBe('alignment');
          continue;
        }
        expect(isTrap(call), where).toBe(false);
        const expected = (call.expected ?? []).flatMap(([type, value]) =>
          type === 'i64' ? [Number(BigInt(value) & 0xffffffffn), Number(BigInt(value) >> 32n)] : [Number(value)],
        );
        if (expected.length > 2) continue;
        expect(
          words.slice(0, expected.length).map((word) => word >>> 0),
          where,
        ).toEqual(expected);
      }
    }
  });
});
