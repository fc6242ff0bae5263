/**
 * `exok run`: an ELF file on the bare machine, started by the boot PROM as a DECstation would start it; its console is the terminal.
 *
 * Nothing of the exokernel is in it: this is how software that was written for the machine runs, Linux for example.
 */
import { readFileSync } from 'node:fs';
import { HardwareError, Machine, PROM_ADDRESS, PROM_ENTRIES, bootProm, type RunResult } from '@exokernel/hardware';
import { fileStore } from '@exokernel/hardware/node';
import { IsaError, decode, loadElf, type ElfImage } from '@exokernel/isa';
import { UsageError } from './error.ts';

export interface RunOptions {
  readonly file: string;
  /** Guest memory in MiB. */
  readonly memory: number;
  readonly disk: string | undefined;
  /** Arguments of the program, after the boot device. */
  readonly args: readonly string[];
  /** Stop after this many seconds of machine time. */
  readonly seconds: number;
  /** What the console prints. */
  readonly output: (bytes: Uint8Array) => void;
  /** Where what somebody types comes from. */
  readonly input: NodeJS.ReadStream;
  readonly signal: AbortSignal;
}

/** How it ended. */
export interface RunOutcome {
  readonly reason: 'halted' | 'time' | 'interrupted';
  readonly instructions: number;
  readonly cycles: number;
}

/** Serial line of the console [KN01]. */
const CONSOLE_LINE = 3;
const KSEG_MASK = 0x1fffffff;
/** Cycles between two looks at the outside. */
const STEP = 250_000;
/** Machine time for the console to finish after the program has halted, in seconds. */
const DRAIN_SECONDS = 0.25;
const IDLE_WAIT_MS = 10;
/** `b .` */
const BRANCH_TO_SELF = 0x1000ffff;
const PROM_BYTES = 0x40000;

/** Runs until the program halts, time is up, or the signal comes. Throws `UsageError` before anything has run. */
export async function runElf(options: RunOptions): Promise<RunOutcome> {
  const elf = readElf(options.file);
  const prom = makeProm(elf, options);
  const disk = options.disk === undefined ? undefined : openDisk(options.disk);
  try {
    const machine = new Machine({
      ramBytes: options.memory * 2 ** 20,
      prom,
      serial: (line, byte) => {
        if (line === CONSOLE_LINE) options.output(Uint8Array.of(byte));
      },
      ...(disk === undefined ? {} : { disk: { store: disk } }),
    });
    load(machine, elf, options.file);
    const listener = (data: Buffer): void => {
      machine.serialInput(CONSOLE_LINE, data);
    };
    options.input.on('data', listener);
    try {
      const reason = await drive(machine, haltLoop(prom), options);
      return { reason, instructions: machine.instructions, cycles: machine.cycles };
    } finally {
      options.input.off('data', listener);
      options.input.pause();
    }
  } finally {
    disk?.close();
  }
}

async function drive(machine: Machine, halt: number, { seconds, signal }: RunOptions): Promise<RunOutcome['reason']> {
  const limit = seconds * machine.hz;
  while (machine.cycles < limit) {
    const result = machine.run(STEP);
    const pc = machine.cpu.pc >>> 0;
    if (pc === halt || pc === halt + 4) {
      machine.run(DRAIN_SECONDS * machine.hz);
      return 'halted';
    }
    if (signal.aborted) return 'interrupted';
    await breathe(result);
  }
  return 'time';
}

/** Lets Node see its input; while the machine idles, the host does. */
function breathe({ cycles, idleCycles }: RunResult): Promise<void> {
  return new Promise((resolve) => {
    if (idleCycles * 2 > cycles) setTimeout(resolve, IDLE_WAIT_MS);
    else setImmediate(resolve);
  });
}

function readElf(file: string): ElfImage {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return loadElf(bytes);
  } catch (error) {
    if (error instanceof IsaError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
}

function makeProm({ entry }: ElfImage, { file, args }: RunOptions): Uint8Array {
  try {
    return bootProm({ entry, args: ['rz(0,0,0)', ...args] });
  } catch (error) {
    if (error instanceof HardwareError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
}

function openDisk(path: string): ReturnType<typeof fileStore> {
  try {
    return fileStore(path);
  } catch (error) {
    if (error instanceof HardwareError) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

/** Copies the segments to where kseg0 and kseg1 show them. */
function load(machine: Machine, elf: ElfImage, file: string): void {
  for (const { vaddr, bytes, memSize } of elf.segments) {
    const physical = vaddr & KSEG_MASK;
    const isUnmapped = vaddr >= 0x80000000 && vaddr < 0xc0000000;
    if (!isUnmapped || physical + memSize > machine.memory.ramBytes) {
      const end = (vaddr + memSize).toString(16);
      throw new UsageError(
        `${file}: the segment 0x${vaddr.toString(16)}–0x${end} is not in memory; more with --memory`,
      );
    }
    machine.memory.bytes.set(bytes, physical);
  }
}

/** Address of the loop in which a halted machine stays: the first branch to itself behind the PROM's halt entry. */
function haltLoop(prom: Uint8Array): number {
  const view = new DataView(prom.buffer, prom.byteOffset);
  const [target = 0] = decode(view.getUint32(8 * PROM_ENTRIES.halt, true))?.operands ?? [];
  let at = (target << 2) & (PROM_BYTES - 1);
  while (at < prom.length - 4 && view.getUint32(at, true) !== BRANCH_TO_SELF) at += 4;
  return PROM_ADDRESS + at;
}
