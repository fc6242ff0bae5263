/**
 * A bare machine with a program in it, ready to be switched on, as a DECstation's boot PROM would start it.
 *
 * Nothing of the exokernel is in it: this is how software that was written for the machine runs, Linux for example. All
 * that can be wrong with files and options is found here, before anything has run, and is a `UsageError`.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import {
  Machine,
  PROM_ADDRESS,
  PROM_ENTRIES,
  bootProm,
  type BlockStore,
  type MachineOptions,
} from '@exokernel/hardware';
import { fileStore } from '@exokernel/hardware/node';
import { IsaError, decode, loadElf, KSEG0, KSEG2, type ElfImage, type ElfSegment } from '@exokernel/isa';
import { UsageError } from './error.ts';
import { orRefuse } from './refusal.ts';
import { MEMORY_MOST, type MachineSettings } from './run-options.ts';

/** What the machine starts with. */
export interface Program {
  /** Path of the executable, for messages. */
  readonly name: string;
  readonly elf: ElfImage;
  /** Arguments after the boot device. */
  readonly args: readonly string[];
  /** Put behind the program in memory; two arguments that Linux knows say where: `rd_start` and `rd_size`. */
  readonly initrd?: Uint8Array;
}

/** How a program for a library operating system ended. */
export interface ProgramEnding {
  /** For people. */
  readonly text: string;
  /** Whether by itself; then `exit` is the word that it gave. */
  readonly isItsOwn: boolean;
  readonly exit: number;
}

/** A machine with a program, and what the host must know about it. */
export interface ReadyMachine {
  readonly machine: Machine;
  /** Whether the program has ended: on the bare machine it stays in the PROM. */
  readonly halted: () => boolean;
  /** How it ended, if the machine can tell. */
  readonly ending?: () => ProgramEnding | undefined;
  /** Gives files back. */
  readonly close: () => void;
}

/** Serial line of the console [KN01]. */
export const CONSOLE_LINE = 3;
const BOOT_DEVICE = 'rz(0,0,0)';
const KSEG_MASK = 0x1fffffff;
/** Linux wants a page; more leaves room for what a kernel puts behind its last segment. */
const INITRD_ALIGNMENT = 0x10000;
/** `b .` */
const BRANCH_TO_SELF = 0x1000ffff;
const PROM_BYTES = 0x40000;

/** Reads an executable for the bare machine. Throws `UsageError`. */
export function readElf(file: string): ElfImage {
  return orNoElf(file, () => loadElf(readInput(file)));
}

/** What an executable is refused for is the user's. Throws `UsageError`. */
export function orNoElf<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof IsaError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
}

/** Reads a file that the user named. Throws `UsageError`. */
export function readInput(file: string): Uint8Array {
  try {
    // Some of those never end.
    if (statSync(file).isCharacterDevice()) throw new Error('it is a device');
    return readFileSync(file);
  } catch (error) {
    throw refusal('read', file, error);
  }
}

/** What is said of a file that cannot be used. */
export function refusal(what: 'read' | 'write', file: string, error: unknown): UsageError {
  return new UsageError(`cannot ${what} ${file}: ${error instanceof Error ? error.message : String(error)}`);
}

/**
 * The machine, switched off until it is run. `serial` gets what the console prints, a byte at a time, and must not touch
 * the machine. Throws `UsageError`.
 */
export function bareMachine(
  program: Program,
  settings: MachineSettings,
  serial: (byte: number) => void,
  lance?: MachineOptions['lance'],
): ReadyMachine {
  const { name, elf, initrd } = program;
  const ramBytes = settings.memory * 2 ** 20;
  checkSegments(elf, name, ramBytes);
  const rdStart = initrd === undefined ? 0 : placeInitrd(elf, initrd, ramBytes);
  const rdArgs =
    initrd === undefined ? [] : [`rd_start=0x${(KSEG0 + rdStart).toString(16)}`, `rd_size=${initrd.length}`];
  const { disk: path } = settings;
  const disk = path === undefined ? undefined : orRefuse(path, () => fileStore(path));
  try {
    return orRefuse(name, () => {
      const prom = bootProm({ entry: elf.entry, args: [BOOT_DEVICE, ...rdArgs, ...program.args] });
      const machine = new Machine({
        ...machineOptions(settings, serial, disk, lance),
        prom,
        program: hashOf(elf.segments, initrd),
      });
      for (const { vaddr, bytes } of elf.segments) machine.memory.write(vaddr & KSEG_MASK, bytes);
      if (initrd !== undefined) machine.memory.write(rdStart, initrd);
      const halt = haltLoop(prom);
      const halted = (): boolean => {
        const pc = machine.cpu.pc >>> 0;
        return pc === halt || pc === halt + 4;
      };
      return { machine, halted, close: () => disk?.close() };
    });
  } catch (error) {
    disk?.close();
    throw error;
  }
}

/** What the settings say of a machine. */
export function machineOptions(
  { memory, profile, hz, engine, startTime }: MachineSettings,
  serial: (byte: number) => void,
  disk: BlockStore | undefined,
  lance: MachineOptions['lance'],
): MachineOptions {
  return {
    ramBytes: memory * 2 ** 20,
    profile,
    serial: (line, byte) => {
      if (line === CONSOLE_LINE) serial(byte);
    },
    ...(hz === undefined ? {} : { hz }),
    ...(engine === undefined ? {} : { engine }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(disk === undefined ? {} : { disk: { store: disk } }),
    ...(lance === undefined ? {} : { lance }),
  };
}

/** A name for what is loaded: a snapshot or a recording of another program is refused. */
export function hashOf(
  segments: readonly Pick<ElfSegment, 'vaddr' | 'bytes'>[],
  initrd: Uint8Array = new Uint8Array(0),
): string {
  const hash = createHash('sha256');
  for (const { vaddr, bytes } of segments) hash.update(String(vaddr)).update(bytes);
  return hash.update(initrd).digest('hex').slice(0, 16);
}

/** Every segment lies where kseg0 and kseg1 show memory. */
function checkSegments({ segments }: ElfImage, file: string, ramBytes: number): void {
  for (const { vaddr, memSize } of segments) {
    const isUnmapped = vaddr >= KSEG0 && vaddr < KSEG2;
    if (isUnmapped && (vaddr & KSEG_MASK) + memSize <= ramBytes) continue;
    const range = `0x${vaddr.toString(16)}–0x${(vaddr + memSize).toString(16)}`;
    const advice = !isUnmapped
      ? 'the machine starts without translations: link the program to 0x80000000 and up (kseg0)'
      : (vaddr & KSEG_MASK) + memSize <= MEMORY_MOST * 2 ** 20
        ? 'more with --memory'
        : `--memory goes up to ${MEMORY_MOST}`;
    throw new UsageError(`${file}: the segment ${range} is not in memory; ${advice}`);
  }
}

/** Physical address behind the program. */
function placeInitrd({ segments }: ElfImage, initrd: Uint8Array, ramBytes: number): number {
  const end = Math.max(...segments.map(({ vaddr, memSize }) => (vaddr & KSEG_MASK) + memSize));
  const start = Math.ceil(end / INITRD_ALIGNMENT) * INITRD_ALIGNMENT;
  if (start + initrd.length > ramBytes) {
    throw new UsageError(`an initrd of ${initrd.length} bytes does not fit behind the program; more with --memory`);
  }
  return start;
}

/** Address of the loop in which a halted machine stays: the first branch to itself behind the PROM's halt entry. */
function haltLoop(prom: Uint8Array): number {
  const view = new DataView(prom.buffer, prom.byteOffset);
  const [target = 0] = decode(view.getUint32(8 * PROM_ENTRIES.halt, true))?.operands ?? [];
  let at = (target << 2) & (PROM_BYTES - 1);
  while (at < prom.length - 4 && view.getUint32(at, true) !== BRANCH_TO_SELF) at += 4;
  return PROM_ADDRESS + at;
}
