import { expect, test } from 'vitest';
import { I32, ModuleBuilder } from '../src/index.ts';
import { WebAssembly } from './webassembly.ts';

test('the snippet of the README', () => {
  const module = new ModuleBuilder();
  module.importMemory('env', 'memory', { minimum: 1 });
  const sum = module.function([I32, I32], [I32]); // (address, end) -> sum of the bytes
  const total = sum.local(I32);
  sum.block();
  sum.loop();
  sum.localGet(0);
  sum.localGet(1);
  sum.i32GeU();
  sum.brIf(1);
  sum.localGet(total);
  sum.localGet(0);
  sum.i32Load8U();
  sum.i32Add();
  sum.localSet(total);
  sum.localGet(0);
  sum.i32Const(1);
  sum.i32Add();
  sum.localSet(0);
  sum.br(0);
  sum.end();
  sum.end();
  sum.localGet(total);
  module.export('sum', 'function', sum.index);

  const memory = new WebAssembly.Memory({ initial: 1 });
  new Uint8Array(memory.buffer).set([1, 2, 3, 4]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.build()), { env: { memory } });
  const result = (exports['sum'] as (address: number, end: number) => number)(0, 4); // 10

  expect(result).toBe(10);
});
