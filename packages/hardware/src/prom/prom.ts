/**
 * The boot PROM: what starts a kernel on a DECstation 2100 or 3100, and the routines that the kernel calls back. [KN01]
 *
 * A table of jumps stands at its start, one entry every 8 bytes; `PROM_ENTRIES` names those that do what they should. Those
 * that load programs halt, those of files fail, every other returns 0 (the caches need no flushing). The program started
 * gets a0 = argc, a1 = argv, a2 = 0 (no REX PROM), a3 = the table and a stack below `PROM_STACK`. The console is serial line
 * 3, polled, at 9600 baud. Everything is machine code; the host only loads the kernel into memory. A kernel that returns,
 * halts or jumps to the reset entry, or that takes an exception in bootstrap mode, ends in a branch to itself with interrupts
 * off: the host holds it in RAM and is the one to start it again.
 *
 * Assumption: the argument registers hold what Linux and NetBSD expect of a KN01; the stack lies below where kernels
 * are linked (0x80030000). The text and the workings are ours; the routines are in `prom/`.
 */
import {
  A0,
  A1,
  A2,
  A3,
  CP0_STATUS,
  RA,
  SP,
  T0,
  T1,
  V0,
  ZERO,
  createAssembler,
  KSEG0,
  KSEG2,
  type Assembler,
} from '@exokernel/isa';
import { HardwareError } from '../error.ts';
import { emitCharacters, emitConsoleStart, emitGets, emitPuts } from './console.ts';
import { emitPrintf } from './printf.ts';
import { emitGetenv, emitStrings } from './strings.ts';

/** What the PROM starts. */
export interface BootOptions {
  /** Address of the first instruction, unsigned: word-aligned, in kseg0 or kseg1. */
  readonly entry: number;
  /** The arguments: by custom the boot device, then options. ASCII. */
  readonly args?: readonly string[];
  /** Environment variables; `systype` is that of a DECstation 3100 unless given. ASCII. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Routines by their place in the table of jumps [DECPROM]. */
export const PROM_ENTRIES = {
  reset: 0,
  halt: 2,
  getchar: 12,
  putchar: 13,
  showchar: 14,
  gets: 15,
  puts: 16,
  printf: 17,
  getenv: 33,
  strcmp: 36,
  strlen: 37,
  strcpy: 38,
  strcat: 39,
} as const;
/** What would load another program or go on in the monitor: exec, reinit, reboot, autoboot. */
const HALTING: readonly number[] = [1, 3, 4, 5];
/** Files: open, read, write, ioctl, close, lseek. There are no devices, and they return -1. */
const FILES: readonly number[] = [6, 7, 8, 9, 10, 11];

/** Uncached address of the PROM, where the CPU starts. */
export const PROM_ADDRESS = 0xbfc00000;
/** Where the stack begins that a program is started with; it grows downwards. */
export const PROM_STACK = 0x80030000;
/** Up to the general exception vector at 0x180. */
const TABLE_ENTRIES = 48;
/** CPU 0x82, system 1 (DECstation 2100/3100), firmware 1. */
const SYSTYPE = '0x82010101';

/** Status: bootstrap exception vectors; interrupts off. */
const STATUS_BEV = 0x400000;

/**
 * The bytes of a PROM that starts a program. Throws `HardwareError` `prom` for an entry that is no address of an
 * instruction there, and for text that is not printable ASCII. (Text too long for a PROM is the machine's to refuse.)
 */
export function bootProm({ entry, args = [], environment = {} }: BootOptions): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(entry) || entry % 4 !== 0 || entry < KSEG0 || entry >= KSEG2) {
    throw new HardwareError('prom', `no entry ${entry}: use a word address in kseg0 or kseg1`, { entry });
  }
  const a = createAssembler(PROM_ADDRESS);
  const variables = Object.entries({ systype: SYSTYPE, ...environment });
  for (let i = 0; i < TABLE_ENTRIES; i += 1) {
    // In its bootstrap mode the CPU has the TLB refill vector in the table, and the general one behind it.
    const name = HALTING.includes(i) || 8 * i === 0x100 ? 'halt' : FILES.includes(i) ? 'none' : nameOf(i);
    a.j(`prom.${name}`);
    a.nop();
  }
  a.j('prom.halt');
  a.nop();
  emitReset(a, entry, args.length);
  emitCharacters(a);
  emitPuts(a);
  emitGets(a);
  emitPrintf(a);
  emitStrings(a);
  emitGetenv(a);
  a.label('prom.nothing');
  a.ret();
  a.move(V0, ZERO);
  a.label('prom.none');
  a.ret();
  a.li(V0, -1);
  emitData(a, args, variables);
  const bytes = new Uint8Array(a.here - PROM_ADDRESS);
  const view = new DataView(bytes.buffer);
  a.assemble().words.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  return bytes;
}

function nameOf(place: number): string {
  return Object.entries(PROM_ENTRIES).find(([, at]) => at === place)?.[0] ?? 'nothing';
}

/** Starts the console and the program. What the program returns to is the end. */
function emitReset(a: Assembler, entry: number, argc: number): void {
  a.label('prom.reset');
  // The CPU is in bootstrap mode when it is switched on; a kernel that comes back here for good is not.
  a.mfc0(T0, CP0_STATUS);
  a.lui(T1, STATUS_BEV >>> 16);
  a.and(T0, T0, T1);
  a.beq(T0, ZERO, 'prom.halt');
  a.nop();
  // The program installs its own exception vectors in RAM.
  a.mtc0(ZERO, CP0_STATUS);
  emitConsoleStart(a);
  a.lui(SP, PROM_STACK >>> 16);
  // By convention a caller leaves room for four arguments, which `printf` uses.
  a.addiu(SP, SP, -16);
  a.li(A0, argc);
  a.la(A1, 'prom.argv');
  a.move(A2, ZERO);
  a.li(A3, PROM_ADDRESS);
  a.li(T0, entry);
  a.jalr(RA, T0);
  a.nop();
  a.label('prom.halt');
  a.lui(T0, STATUS_BEV >>> 16);
  a.mtc0(T0, CP0_STATUS);
  a.label('prom.halted');
  a.b('prom.halted');
  a.nop();
}

/** Arguments and variables. */
function emitData(a: Assembler, args: readonly string[], variables: readonly (readonly [string, string])[]): void {
  a.label('prom.argv');
  args.forEach((_, i) => {
    a.address(`prom.arg.${i}`);
  });
  a.word(0);
  a.label('prom.variables');
  variables.forEach((_, i) => {
    a.address(`prom.name.${i}`);
    a.address(`prom.value.${i}`);
  });
  a.word(0);
  a.word(0);
  args.forEach((text, i) => {
    a.label(`prom.arg.${i}`);
    a.bytes(asciiz(text));
  });
  variables.forEach(([name, value], i) => {
    a.label(`prom.name.${i}`);
    a.bytes(asciiz(name));
    a.label(`prom.value.${i}`);
    a.bytes(asciiz(value));
  });
}

function asciiz(text: string): Uint8Array {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new HardwareError('prom', `not ASCII: ${text}`, { text });
  return Uint8Array.from({ length: text.length + 1 }, (_, i) => (i < text.length ? text.charCodeAt(i) : 0));
}
