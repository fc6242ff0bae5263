import { readFileSync } from 'node:fs';
import { loadElf } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { bootProm, EVENT_KINDS, Machine } from '../src/index.ts';

const KERNEL = process.env.EXOKERNEL_VMLINUX;
const BUDGET = 400_000_000;
const STEP = 1_000_000;
const RESET = 0xbfc00000;

/**
 * Boots a Linux for the DECstation 2100 and 3100 (`decstation_defconfig`, R3000, console on ttyS3) whose `/init` switches the
 * machine off. The console runs at 9600 baud, so most of the time is the log's.
 */
test.skipIf(KERNEL === undefined)(
  `Linux boots to user space and switches the machine off${KERNEL === undefined ? ' (skipped: EXOKERNEL_VMLINUX names no kernel)' : ''}`,
  () => {
    const elf = loadElf(readFileSync(KERNEL ?? ''));
    let log = '';
    const machine = new Machine({
      ramBytes: 24 * 1024 * 1024,
      prom: bootProm({ entry: elf.entry, args: ['rz(0,0,0)vmunix', 'console=ttyS3'] }),
      serial: (line, byte) => (log += line === 3 ? String.fromCharCode(byte) : ''),
    });
    for (const { vaddr, bytes } of elf.segments) machine.memory.bytes.set(bytes, vaddr & 0x1fffffff);

    let idle = 0;
    let userSpace = 0;
    let systemCalls = 0;
    machine.listen((kind, _cycle, code, epc) => {
      if (kind !== EVENT_KINDS.exception.kind || epc >= 0x80000000) return;
      if (userSpace === 0) userSpace = machine.instructions - idle;
      if (code === 8) systemCalls += 1;
    });
    const before = performance.now();
    const inProm = (): boolean => machine.cpu.pc >= RESET;
    while (machine.cycles < BUDGET && !(log.includes('Power down') && inProm())) idle += machine.run(STEP).idleCycles;
    const seconds = ((performance.now() - before) / 1000).toFixed(2);
    console.log(
      `user space after ${userSpace} instructions, end after ${machine.cycles} cycles, ${seconds} s of the host`,
    );

    expect(log).not.toMatch(/Kernel panic|Oops\[|BUG:|Unhandled/);
    for (const line of [
      'This is a DECstation 2100/3100',
      'CPU0 revision is: 00000220 (R3000)',
      'FPU revision is: 00000340',
      'ttyS3 at MMIO 0x1c000000 (irq = 4, base_baud = 0) is a DZ',
      'rtc_cmos rtc_cmos: registered as rtc0',
      // Linux takes the clock's year 72 for 2000; the machine's clock began in 1970.
      'setting system clock to 1998-01-01T00:00:0',
      'Run /init as init process',
      'reboot: Power down',
    ]) {
      expect(log).toContain(line);
    }
    expect(systemCalls).toBeGreaterThanOrEqual(2); // it says hello, and switches off
    // What it says waits for the interrupts of the serial line; a kernel that switches off does not wait for them.
    expect(log).toMatch(/Run \/init as init process\r\nhel/);
    expect(inProm()).toBe(true);
  },
  60_000,
);
