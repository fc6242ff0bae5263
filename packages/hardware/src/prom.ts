/**
 * The boot PROM: what starts a kernel on a DECstation 2100 or 3100, and the routines that the kernel calls back. [KN01]
 *
 * A table of jumps stands at its start, one entry every 8 bytes; `PROM_ENTRIES` names those that exist, every other
 * returns 0. The program started gets a0 = argc, a1 = argv, a2 = 0 (no REX PROM), a3 = the table and a stack below
 * `PROM_STACK`. The console is serial line 3, polled, at 9600 baud. Everything is machine code; the host only loads the
 * kernel into memory. A kernel that returns, halts or jumps to the reset entry, or that takes an exception in bootstrap mode,
 * ends in a branch to itself with interrupts off: the host holds it in RAM and is the one to start it again.
 *
 * Assumption: the argument registers hold what Linux and NetBSD expect of a KN01; the stack lies below where kernels
 * are linked (0x80030000). The text and the workings are ours.
 */
import {
  A0,
  A1,
  A2,
  A3,
  CP0_STATUS,
  RA,
  S0,
  S1,
  S2,
  SP,
  T0,
  T1,
  T2,
  T3,
  T4,
  V0,
  ZERO,
  createAssembler,
  type Assembler,
} from '@exokernel/isa';
import { HardwareError } from './error.ts';

/** What the PROM starts. */
export interface BootOptions {
  /** Address of the first instruction, unsigned: word-aligned, in kseg0 or kseg1. */
  readonly entry: number;
  /** The arguments: by custom the boot device, then options. ASCII. */
  readonly args?: readonly string[];
  /** Environment variables; `systype` is that of a DECstation 3100 unless given. ASCII. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Routines by their place in the table of jumps. */
export const PROM_ENTRIES = { reset: 0, halt: 2, getchar: 12, putchar: 13, printf: 17, getenv: 33 } as const;

/** Uncached address of the PROM, where the CPU starts. */
export const PROM_ADDRESS = 0xbfc00000;
/** Where the stack begins that a program is started with; it grows downwards. */
export const PROM_STACK = 0x80030000;
/** Up to the general exception vector at 0x180. */
const TABLE_ENTRIES = 48;
/** CPU 0x82, system 1 (DECstation 2100/3100), firmware 1. */
const SYSTYPE = '0x82010101';

/** DC7085 in kseg1: control and status, receive buffer and line parameters, transmit control, transmit data [DZ11]. */
const DZ = 0xbc000000;
const CSR = 0x00;
const RBUF_LPR = 0x08;
const TCR = 0x10;
const TDR = 0x18;
const MSE = 0x20;
const TRDY = 0x8000;
const DVAL = 0x8000;
const CONSOLE_LINE = 3;
/** Status: bootstrap exception vectors; interrupts off. */
const STATUS_BEV = 0x400000;
/** Receiver on, 9600 baud, 8 bits, no parity. */
const LINE_PARAMETERS = 0x1e18 | CONSOLE_LINE;

/**
 * The bytes of a PROM that starts a program. Throws `HardwareError` `prom` for an entry that is no address of an
 * instruction there, and for text that is not printable ASCII. (Text too long for a PROM is the machine's to refuse.)
 */
export function bootProm({ entry, args = [], environment = {} }: BootOptions): Uint8Array {
  if (!Number.isInteger(entry) || entry % 4 !== 0 || entry < 0x80000000 || entry >= 0xc0000000) {
    throw new HardwareError('prom', `no entry ${entry}: use a word address in kseg0 or kseg1`, { entry });
  }
  const a = createAssembler(PROM_ADDRESS);
  const variables = Object.entries({ systype: SYSTYPE, ...environment });
  const names = Object.entries(PROM_ENTRIES);
  for (let i = 0; i < TABLE_ENTRIES; i += 1) {
    // In its bootstrap mode the CPU has the TLB refill vector in the table, and the general one behind it.
    const isVector = 8 * i === 0x100;
    const name = isVector ? 'halt' : (names.find(([, place]) => place === i)?.[0] ?? 'nothing');
    a.j(`prom.${name}`);
    a.nop();
  }
  a.j('prom.halt');
  a.nop();
  emitReset(a, entry, args.length);
  emitConsole(a);
  emitPrintf(a);
  emitGetenv(a);
  a.label('prom.nothing');
  a.ret();
  a.move(V0, ZERO);
  emitStrings(a, args, variables);
  const bytes = new Uint8Array(a.here - PROM_ADDRESS);
  const view = new DataView(bytes.buffer);
  a.assemble().words.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  return bytes;
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
  a.lui(T0, DZ >>> 16);
  a.li(T1, LINE_PARAMETERS);
  a.sh(T1, RBUF_LPR, T0);
  a.li(T1, MSE);
  a.sh(T1, CSR, T0);
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

/** putchar(a0) and getchar(), polled. */
function emitConsole(a: Assembler): void {
  // Only the console's line transmits meanwhile: the scanner stops at the first line that is ready.
  a.label('prom.putchar');
  a.lui(T0, DZ >>> 16);
  a.lhu(T4, TCR, T0);
  a.li(T1, 1 << CONSOLE_LINE);
  a.sh(T1, TCR, T0);
  a.label('prom.putchar.wait');
  a.lhu(T1, CSR, T0);
  a.li(T2, TRDY | (CONSOLE_LINE << 8));
  a.and(T1, T1, T2);
  a.bne(T1, T2, 'prom.putchar.wait');
  a.nop();
  a.sb(A0, TDR, T0);
  a.sh(T4, TCR, T0);
  a.ret();
  a.move(V0, A0);

  a.label('prom.getchar');
  a.lui(T0, DZ >>> 16);
  a.label('prom.getchar.wait');
  a.lhu(T1, RBUF_LPR, T0);
  a.li(T3, DVAL | (CONSOLE_LINE << 8));
  a.andi(T2, T1, DVAL | 0x0300);
  a.bne(T2, T3, 'prom.getchar.wait');
  a.nop();
  a.ret();
  a.andi(V0, T1, 0xff);
}

/** printf(format, …) with %s, %c, %d, %u, %x and %%; widths and other letters are passed over. Carriage returns are added. */
function emitPrintf(a: Assembler): void {
  a.label('prom.printf');
  // The caller has room for four arguments on its stack; those in registers go there, before any others.
  a.sw(A1, 4, SP);
  a.sw(A2, 8, SP);
  a.sw(A3, 12, SP);
  a.addiu(T3, SP, 4);
  a.addiu(SP, SP, -24);
  a.sw(RA, 20, SP);
  a.sw(S0, 16, SP);
  a.sw(S1, 12, SP);
  a.sw(S2, 8, SP);
  a.move(S0, A0);
  a.move(S1, T3);
  a.label('prom.printf.next');
  a.lbu(A0, 0, S0);
  a.addiu(S0, S0, 1);
  a.beq(A0, ZERO, 'prom.printf.end');
  a.li(T0, 0x25);
  a.beq(A0, T0, 'prom.printf.percent');
  a.nop();
  a.label('prom.printf.plain');
  a.bal('prom.character');
  a.nop();
  a.b('prom.printf.next');
  a.nop();

  a.label('prom.printf.percent');
  a.lbu(A0, 0, S0);
  a.addiu(S0, S0, 1);
  a.beq(A0, ZERO, 'prom.printf.end');
  for (const [letter, label] of [
    ['%', 'plain'],
    ['s', 'string'],
    ['c', 'char'],
    ['d', 'decimal'],
    ['u', 'unsigned'],
    ['x', 'hex'],
  ] as const) {
    a.li(T0, letter.charCodeAt(0));
    a.beq(A0, T0, `prom.printf.${label}`);
  }
  a.nop();
  a.b('prom.printf.percent');
  a.nop();

  a.label('prom.printf.string');
  a.lw(S2, 0, S1);
  a.addiu(S1, S1, 4);
  a.label('prom.printf.string.next');
  a.lbu(A0, 0, S2);
  a.addiu(S2, S2, 1);
  a.beq(A0, ZERO, 'prom.printf.next');
  a.nop();
  a.bal('prom.character');
  a.nop();
  a.b('prom.printf.string.next');
  a.nop();

  a.label('prom.printf.char');
  a.lw(A0, 0, S1);
  a.b('prom.printf.plain');
  a.addiu(S1, S1, 4);

  a.label('prom.printf.hex');
  a.b('prom.printf.number');
  a.li(S2, 16);
  a.label('prom.printf.unsigned');
  a.b('prom.printf.number');
  a.li(S2, 10);
  a.label('prom.printf.decimal');
  a.lw(T0, 0, S1);
  a.li(S2, 10);
  a.bgez(T0, 'prom.printf.number');
  a.subu(T0, ZERO, T0);
  a.sw(T0, 0, S1);
  a.bal('prom.character');
  a.li(A0, 0x2d);
  a.label('prom.printf.number');
  a.lw(A0, 0, S1);
  a.bal('prom.digits');
  a.addiu(S1, S1, 4);
  a.b('prom.printf.next');
  a.nop();

  a.label('prom.printf.end');
  a.lw(RA, 20, SP);
  a.lw(S0, 16, SP);
  a.lw(S1, 12, SP);
  a.lw(S2, 8, SP);
  a.addiu(SP, SP, 24);
  a.ret();
  a.move(V0, ZERO);

  // Digits of a0 in base s2, most significant first.
  a.label('prom.digits');
  a.divu(A0, S2);
  a.addiu(SP, SP, -8);
  a.sw(RA, 4, SP);
  a.mfhi(T0);
  a.mflo(A0);
  a.sw(T0, 0, SP);
  a.beq(A0, ZERO, 'prom.digits.last');
  a.nop();
  a.bal('prom.digits');
  a.nop();
  a.label('prom.digits.last');
  a.lw(A0, 0, SP);
  a.lw(RA, 4, SP);
  a.addiu(SP, SP, 8);
  a.sltiu(T0, A0, 10);
  a.bne(T0, ZERO, 'prom.putchar');
  a.addiu(A0, A0, 0x30);
  a.b('prom.putchar');
  a.addiu(A0, A0, 0x27);

  // putchar with a carriage return before a new line.
  a.label('prom.character');
  a.li(T0, 0x0a);
  a.bne(A0, T0, 'prom.putchar');
  a.move(T3, RA);
  a.bal('prom.putchar');
  a.li(A0, 0x0d);
  a.move(RA, T3);
  a.b('prom.putchar');
  a.li(A0, 0x0a);
}

/** getenv(name): the value's address, or 0. */
function emitGetenv(a: Assembler): void {
  a.label('prom.getenv');
  a.la(T0, 'prom.variables');
  a.label('prom.getenv.next');
  a.lw(T1, 0, T0);
  a.lw(V0, 4, T0);
  a.beq(T1, ZERO, 'prom.nothing');
  a.addiu(T0, T0, 8);
  a.move(T2, A0);
  a.label('prom.getenv.compare');
  a.lbu(T3, 0, T1);
  a.lbu(A1, 0, T2);
  a.addiu(T1, T1, 1);
  a.bne(T3, A1, 'prom.getenv.next');
  a.addiu(T2, T2, 1);
  a.bne(T3, ZERO, 'prom.getenv.compare');
  a.nop();
  a.ret();
  a.nop();
}

function emitStrings(a: Assembler, args: readonly string[], variables: readonly (readonly [string, string])[]): void {
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
