/**
 * Linux on the machine, on both engines: to user space, and to power-off in the same cycle with the same events.
 *
 * The kernel and its first file system are those that `exok linux build` leaves in the cache, or those that EXOKERNEL_VMLINUX and
 * EXOKERNEL_INITRAMFS name. What its programs do is tested in apps/exok.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { loadElf } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { bootProm, EVENT_KINDS, Machine, type MachineOptions } from '../src/index.ts';

const { EXOKERNEL_CACHE, XDG_CACHE_HOME, EXOKERNEL_VMLINUX, EXOKERNEL_INITRAMFS } = process.env;
const CACHE = EXOKERNEL_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'exokernel');
const KERNEL = EXOKERNEL_VMLINUX ?? newest('kernel-', 'vmlinux');
const INITRAMFS = EXOKERNEL_INITRAMFS ?? newest('init-', 'initramfs.cpio');
const SKIPPED = KERNEL === undefined || INITRAMFS === undefined ? ' (skipped: see `exok linux build`)' : '';

const STEP = 1_000_000;
/** Cycles; the console runs at 9600 baud, so most of the time is the log's. */
const BUDGET = 400_000_000;
const RESET = 0xbfc00000;
const INITRD = 0x800000;

function newest(prefix: string, file: string): string | undefined {
  const entries = existsSync(CACHE) ? readdirSync(CACHE).filter((name) => name.startsWith(prefix)) : [];
  return entries
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((name) => join(CACHE, name, file))
    .filter((path) => existsSync(path))
    .at(-1);
}

interface Boot {
  readonly log: string;
  readonly cycles: number;
  readonly instructions: number;
  /** Order-dependent sum of all events. */
  readonly events: number;
  /** Cycles to user space. */
  readonly userSpace: number;
  readonly systemCalls: number;
}

function boot(options: MachineOptions): Boot {
  const elf = loadElf(readFileSync(KERNEL ?? ''));
  const initrd = readFileSync(INITRAMFS ?? '');
  let log = '';
  const args = ['rz(0,0,0)vmunix', 'console=ttyS3', 'panic=1', `rd_start=0x${(0x80000000 + INITRD).toString(16)}`];
  const machine = new Machine({
    ramBytes: 24 * 1024 * 1024,
    prom: bootProm({ entry: elf.entry, args: [...args, `rd_size=${initrd.length}`] }),
    serial: (line, byte) => (log += line === 3 ? String.fromCharCode(byte) : ''),
    ...options,
  });
  for (const { vaddr, bytes } of elf.segments) machine.memory.write(vaddr & 0x1fffffff, bytes);
  machine.memory.write(INITRD, initrd);
  let [events, userSpace, systemCalls] = [0, 0, 0];
  machine.listen((kind, cycle, a, b, c) => {
    for (const value of [kind, cycle, a, b, c]) events = (Math.imul(events, 31) + value) | 0;
    if (kind !== EVENT_KINDS.exception.kind || b >= 0x80000000) return;
    if (userSpace === 0) userSpace = cycle;
    if (a === 8) systemCalls += 1;
  });
  const ended = (): boolean => log.includes('Power down') && machine.cpu.pc >= RESET;
  while (machine.cycles < BUDGET && !ended()) machine.run(STEP);
  expect(ended()).toBe(true);
  return { log, cycles: machine.cycles, instructions: machine.instructions, events, userSpace, systemCalls };
}

test.skipIf(SKIPPED !== '').each(['ideal', 'dec5000'] as const)(
  `Linux boots on both engines to the same cycle: %s${SKIPPED}`,
  (profile) => {
    const first = boot({ engine: 'interpreter', profile });
    for (const line of [
      'This is a DECstation 2100/3100',
      'CPU0 revision is: 000002',
      'FPU revision is: 000003',
      'ttyS3 at MMIO 0x1c000000 (irq = 4, base_baud = 0) is a DZ',
      'rtc_cmos rtc_cmos: registered as rtc0',
      // Linux takes the clock's year 72 for 2000; the machine's clock began in 1970.
      'setting system clock to 1998-01-01T00:00:0',
      'Run /init as init process',
      'hello from Linux',
      'reboot: Power down',
    ]) {
      expect(first.log).toContain(line);
    }
    expect(first.log).not.toMatch(/Kernel panic|Oops\[|BUG:|Unhandled/);
    expect(first.userSpace).toBeGreaterThan(10_000_000);
    expect(first.systemCalls).toBeGreaterThan(10);
    expect(boot({ engine: 'translator', profile })).toEqual(first);
  },
);
