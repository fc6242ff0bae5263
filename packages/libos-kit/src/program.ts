/**
 * Programs, library operating systems, and their composition.
 *
 * `compose(libos, program)` compiles only if the library operating system provides every interface that the program needs. A
 * program is written once and runs on whichever does.
 */
import type { Image } from '@exokernel/abi';
import type { Assembler } from '@exokernel/isa';
import type { Module } from '@exokernel/vcode';
import type { CodeMap, CodePlace } from './code-map.ts';
import type { Fiber } from './fiber.ts';
import type { EntryPoint, InterfaceName, Interfaces } from './interfaces.ts';
import { LibosError } from './error.ts';
import type { Pages } from './pages.ts';

/** A program in TypeScript: a fiber over the interfaces it needs; its result is the exit code, 0 to 255. */
export interface FiberProgram<Needs extends InterfaceName> {
  readonly kind: 'fiber';
  readonly name: string;
  readonly needs: readonly Needs[];
  readonly main: (os: Pick<Interfaces, Needs>) => Fiber<number>;
}

/**
 * A program in machine code: assembled at PAGED_BASE and entered there as a routine; what it returns in v0 is the exit code.
 * `data` bytes of zeroed, writable memory follow the text at the next page.
 */
export interface MachineProgram<Needs extends InterfaceName> {
  readonly kind: 'machine';
  readonly name: string;
  readonly needs: readonly Needs[];
  readonly data: number;
  readonly text: (a: Assembler, os: MachineOs<Needs>) => void;
}

/** What a machine-code program is linked against. */
export interface MachineOs<Needs extends InterfaceName> {
  /** Address of a routine of an interface. */
  readonly entry: (name: EntryPoint<Needs>) => number;
  /** Address of the program's data. */
  readonly data: number;
}

/** A program that was compiled; `compiledProgram` makes it. */
export interface CompiledProgram<Needs extends InterfaceName> {
  readonly kind: 'compiled';
  readonly name: string;
  readonly needs: readonly Needs[];
  readonly module: Module;
  /** The export that is called; it gives the exit code. */
  readonly entry: string;
  readonly stackBytes: number;
  /** The source of what stands at an offset of the module. */
  readonly placeOf: (offset: number) => CodePlace | undefined;
}

/** A program that has its place and knows the addresses of the routines that it calls; a library operating system's `link` makes it. */
export interface LinkedProgram<Needs extends InterfaceName> {
  readonly kind: 'linked';
  readonly name: string;
  readonly needs: readonly Needs[];
  /** Of which library operating system it calls routines, and a hash of that one's text: with another text the addresses are others. */
  readonly libos: string;
  readonly runtime: number;
  readonly pages: readonly Pages[];
  /** What stands in its code, if it was compiled. */
  readonly code?: CodeMap;
}

export type Program<Needs extends InterfaceName> =
  FiberProgram<Needs> | MachineProgram<Needs> | CompiledProgram<Needs> | LinkedProgram<Needs>;

/** How much of the machine a program gets at boot. */
export interface Placement {
  /** Name of the environment; the program's by default. */
  readonly name?: string;
  /** Slices of the vector, default 1; contiguous ones run through without a switch. */
  readonly slices?: number;
  readonly contiguous?: boolean;
  /** Serial line of the console, 0 to 3, default 3. */
  readonly serialLine?: number;
  /** Blocks of the disk that it is given. */
  readonly extent?: Image['extent'];
  /** Who it is on the network, for programs that need `udp`. Environments of a machine may have one address, or different ones. */
  readonly station?: NetworkStation;
}

/** Addresses: of IPv4 as numbers (10.0.0.1 is 0x0a000001), of Ethernet the six bytes of the machine's controller. */
export interface NetworkStation {
  readonly mac: Uint8Array;
  readonly ip: number;
  readonly netmask: number;
  /** The neighbour that knows other networks; without one there are none. */
  readonly gateway?: number;
}

/** A library operating system: makes images of programs. */
export interface LibOs<Provides extends InterfaceName> {
  readonly name: string;
  readonly provides: readonly Provides[];
  readonly load: (program: Program<Provides>, placement: Placement) => Image;
}

/** A library operating system whose programs can be linked ahead, and kept in a file meanwhile. */
export interface LinkingLibOs<Provides extends InterfaceName> extends LibOs<Provides> {
  /** What `load` makes of a program before it is an image. Throws `LibosError` `program-size`, `image`. */
  readonly link: (program: Exclude<Program<Provides>, FiberProgram<Provides>>) => LinkedProgram<Provides>;
}

/** Declares a TypeScript program; the compiler infers what it needs from `needs`. */
export function program<const Needs extends InterfaceName>(
  name: string,
  needs: readonly Needs[],
  main: (os: Pick<Interfaces, Needs>) => Fiber<number>,
): FiberProgram<Needs> {
  return { kind: 'fiber', name, needs, main };
}

/** Declares a machine-code program. */
export function machineProgram<const Needs extends InterfaceName>(
  name: string,
  needs: readonly Needs[],
  data: number,
  text: (a: Assembler, os: MachineOs<Needs>) => void,
): MachineProgram<Needs> {
  return { kind: 'machine', name, needs, data, text };
}

/**
 * The image of `program` on `libos`. That every need is provided is a matter of types; untyped callers get a `LibosError` `needs`.
 */
export function compose<Provides extends InterfaceName, Needs extends Provides>(
  libos: LibOs<Provides>,
  program: Program<Needs>,
  placement: Placement = {},
): Image {
  const missing = program.needs.filter((need) => !libos.provides.includes(need));
  if (missing.length > 0) {
    throw new LibosError('needs', `${libos.name} does not provide ${missing.join(', ')}, which ${program.name} needs`, {
      missing,
    });
  }
  return libos.load(program, placement);
}
