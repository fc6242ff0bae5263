/**
 * The narrow interfaces that programs are written against. A library operating system provides some of them; a program states
 * which it needs; composing the two is checked by the compiler (program.ts).
 *
 * TypeScript programs get objects whose methods are fibers. Machine-code programs get addresses of routines, named in
 * ENTRY_POINTS: arguments in a0 to a3, result in v0, s registers, gp, sp and fp kept, v0 negative on errors.
 */
import type { Fiber } from './fiber.ts';

/** A place to print. */
export interface Console {
  /** Writes text as UTF-8, all of it. */
  write(text: string): Fiber<void>;
}

/** The machine's time. */
export interface Clock {
  /** Ticks of 1/64 s since boot. */
  ticks(): Fiber<number>;
  /** Gives up the processor until the tick counter has grown by `ticks` (at least 1). */
  sleep(ticks: number): Fiber<void>;
}

/** Memory of the program. Addresses are virtual; words are 32 bits, signed. */
export interface Memory {
  /** Address of `bytes` zeroed bytes, page-aligned. −1 if there are none. */
  allocate(bytes: number): Fiber<number>;
  load(va: number): Fiber<number>;
  store(va: number, value: number): Fiber<void>;
  read(va: number, bytes: Uint8Array): Fiber<void>;
  write(va: number, bytes: Uint8Array): Fiber<void>;
}

/** Processes: environments with a parent. */
export interface Processes {
  /** This process's number. */
  self(): Fiber<number>;
  /**
   * A child with a copy of this process's memory (copy-on-write) that runs `child`, and its own open pipes. Deviation:
   * a generator cannot be copied as a stack can, so a TypeScript program names what its child runs; machine code returns
   * twice. Returns the child's number, or a negative error.
   */
  fork(child: () => Fiber<number>): Fiber<number>;
  /** Gives the rest of the slice to another process. May return for no reason. */
  yield(process: number): Fiber<void>;
  /** Waits for a child to end. Returns its number and exit code, or `undefined` if there is no child. */
  wait(): Fiber<{ readonly process: number; readonly code: number } | undefined>;
}

/** Byte streams between a process and its children. A descriptor is a small integer. */
export interface Pipes {
  /** A new pipe: what is written to one end is read at the other. */
  pipe(): Fiber<{ readonly reader: number; readonly writer: number }>;
  /** Up to `max` bytes; waits for at least one; none at the end of the stream. */
  read(descriptor: number, max: number): Fiber<Uint8Array>;
  /** Writes all bytes; waits for room. Returns how many, fewer only if no reader is left. */
  write(descriptor: number, bytes: Uint8Array): Fiber<number>;
  close(descriptor: number): Fiber<void>;
}

/** Memory that children share with their parent. */
export interface SharedMemory {
  /** The address of a page of zeros that children to come share. −1 if there is none. */
  allocate(): Fiber<number>;
}

/** Calls of procedures of other processes. Serving them is for machine code. */
export interface Lrpc {
  /** To be done once before the first call. 0, or a negative error. */
  bind(): Fiber<number>;
  /** What a process is called by: of this one, and of none that has its number later. */
  name(process: number): Fiber<number>;
  /** What procedure `procedure` of the server of this name returns; −1 if there is none, or the server is busy, or has died. */
  call(server: number, procedure: number, x: number, y: number): Fiber<number>;
}

/** Protection of pages of the program, by itself. Ranges are of whole pages; each answers 0, or −1 for what is no such range. */
export interface Protection {
  /** From now on an access is the program's handler's, which is for machine code; a program that has none ends by it. */
  protect(va: number, pages: number): Fiber<number>;
  unprotect(va: number, pages: number): Fiber<number>;
  /** From now on they are not dirty, until they are written. */
  clean(va: number, pages: number): Fiber<number>;
  /** 1 if the page may have been written since, 0 if not. */
  dirty(va: number): Fiber<number>;
}

/** A datagram that arrived, and from where. An address is a number: 10.0.0.1 is 0x0a000001. */
export interface Datagram {
  readonly address: number;
  readonly port: number;
  readonly bytes: Uint8Array;
}

/** UDP: the program's image says who it is (`Placement.station`). What is negative is an error code of the kernel's. */
export interface Udp {
  /**
   * A socket for a port, a small number. E_RANGE: no such port; E_BUSY: this program has a socket for it; E_OVERLAP: another environment with this address has
   * one; E_NONE: there are no more; E_DEVICE: no network.
   */
  open(port: number): Fiber<number>;
  /**
   * Sends up to 1472 bytes to a port of a host, and waits while its Ethernet address is asked for. 0, or E_CAP: no such socket; E_RANGE: no such
   * host or port, no route, or too many bytes; E_NONE: no neighbour answers; E_AGAIN: the controller has no room.
   */
  send(socket: number, address: number, port: number, bytes: Uint8Array): Fiber<number>;
  /** The next datagram; waits for it so many ticks of 1/64 s (0: not at all; by default without end). E_CAP; E_AGAIN: none has come. */
  receive(socket: number, ticks?: number): Fiber<Datagram | number>;
  /** 0, or E_CAP. What waits in the socket is lost. */
  close(socket: number): Fiber<number>;
}

/** A file, as `list` gives it. */
export interface FileEntry {
  /** What it is called by: 1 or more, and no other file's in the life of the environment. */
  readonly file: number;
  readonly name: string;
  readonly bytes: number;
}

/**
 * Flat files on the disk. A name has 1 to 28 bytes of UTF-8. What has been answered survives a loss of power. Errors are negative (abi's ERRORS): E_ENV
 * there is no disk space, E_CODE something else is in it, E_CAP no file has this number, E_BUSY a file has this name, E_NONE no room, E_RANGE,
 * E_DEVICE, E_AGAIN another call is under way.
 */
export interface Files {
  /** The number of a new file, which is empty. */
  create(name: string): Fiber<number>;
  /** The number of a file; 0: none has this name. */
  find(name: string): Fiber<number>;
  size(file: number): Fiber<number>;
  /** Up to `max` bytes from `offset` on; none at the end. */
  read(file: number, offset: number, max: number): Fiber<Uint8Array | number>;
  /** Appends bytes, in pieces of 4096, each as a whole or not at all. Returns how many; an error if none. */
  append(file: number, bytes: Uint8Array): Fiber<number>;
  remove(file: number): Fiber<number>;
  /** All files, by number. */
  list(): Fiber<readonly FileEntry[] | number>;
  /** Removes everything from the disk space, whatever it is. */
  format(): Fiber<number>;
}

/** Every interface by its name. */
export interface Interfaces {
  readonly console: Console;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly processes: Processes;
  readonly pipes: Pipes;
  readonly shared: SharedMemory;
  readonly lrpc: Lrpc;
  readonly protection: Protection;
  readonly udp: Udp;
  readonly files: Files;
}

export type InterfaceName = keyof Interfaces;

/** Routines by which machine code uses an interface. */
export const ENTRY_POINTS = {
  /** console_write(address, length). */
  console: ['console_write'],
  /** clock_ticks(); clock_sleep(ticks). */
  clock: ['clock_ticks', 'clock_sleep'],
  /** memory_allocate(bytes). */
  memory: ['memory_allocate'],
  /**
   * process_self(); process_fork(): 0 in the child; process_wait(address of a word for the code): the child;
   * process_yield(process): 0.
   */
  processes: ['process_self', 'process_fork', 'process_wait', 'process_yield'],
  /** pipe_open(address of two words: reader, writer); pipe_read(d, address, max); pipe_write(d, address, n); pipe_close(d). */
  pipes: ['pipe_open', 'pipe_read', 'pipe_write', 'pipe_close'],
  /** shared_allocate(). */
  shared: ['shared_allocate'],
  /**
   * lrpc_bind(); lrpc_name(process); lrpc_call(server's name, procedure, x, y); lrpc_serve(table of addresses, how many);
   * lrpc_trust(server's name or −1, entry).
   */
  lrpc: ['lrpc_bind', 'lrpc_name', 'lrpc_call', 'lrpc_serve', 'lrpc_trust'],
  /** vm_protect(va, pages), vm_unprotect, vm_clean: the same; vm_dirty(va); vm_handler(address or 0): gets the address in a0. */
  protection: ['vm_protect', 'vm_unprotect', 'vm_clean', 'vm_dirty', 'vm_handler'],
  /**
   * udp_open(port); udp_send(socket, host, port, address, bytes); udp_receive(socket, address, most, address of two words for the sender's address and port
   * or 0, ticks or −1): the length; udp_close(socket). The fifth word is in t0.
   */
  udp: ['udp_open', 'udp_send', 'udp_receive', 'udp_close'],
  /**
   * file_create(name, length): file; file_find(name, length): file or 0; file_size(file); file_read(file, offset, address, max): how many;
   * file_append(file, address, length ≤ 4096): length; file_remove(file); file_list(after, address): the next file or 0, with two words, its
   * size and its name's length, and 28 bytes of name; file_format().
   */
  files: [
    'file_create',
    'file_find',
    'file_size',
    'file_read',
    'file_append',
    'file_remove',
    'file_list',
    'file_format',
  ],
} as const;

export type EntryPoint<N extends InterfaceName> = (typeof ENTRY_POINTS)[N][number];
