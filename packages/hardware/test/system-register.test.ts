import { describe, expect, test } from 'vitest';
import { idle, inKernel, lines, peek, poke } from './support.ts';

const CSR = 0x1e000000;
const ERRADDR = 0x17000000;

describe('system register [KN01]', () => {
  test('a store that nothing takes interrupts on line 6 and leaves its address', () => {
    const machine = idle();
    expect(lines(machine)).toEqual([]);
    inKernel(machine, (cpu) => {
      cpu.store8(0xb6000003, 1);
      cpu.store32(0xb6000008, 1);
    });
    expect(lines(machine)).toEqual([6]);
    expect(peek(machine, CSR)).toBe(0x400);
    expect(peek(machine, ERRADDR)).toBe(0x16000000);
    poke(machine, CSR, 0x4ff);
    expect(lines(machine)).toEqual([]);
    expect(peek(machine, CSR)).toBe(0);
  });

  test('TXDIS keeps the serial lines silent', () => {
    const out: number[] = [];
    const machine = idle({ serial: (_, byte) => out.push(byte) });
    poke(machine, CSR, 0x100);
    expect(peek(machine, CSR)).toBe(0x100);
    poke(machine, 0x1c000000, 0x20);
    poke(machine, 0x1c000010, 1);
    poke(machine, 0x1c000018, 0x41);
    machine.run(60_000);
    expect(out).toEqual([]);
  });
});
