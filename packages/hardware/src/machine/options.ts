/** What a machine is made of: the options of its constructor. */
import type { Extension } from '@exokernel/isa';
import type { Wire } from '@exokernel/wire';
import type { BlockStore } from '../devices/block-store.ts';
import type { DeviceOptions } from '../devices/attached-device.ts';
import type { DiskGeometry } from '../devices/disk-mechanics.ts';
import type { Profile } from '../timing/profiles.ts';
import type { TranslationOptions } from '../translator/translator.ts';

/** An Ethernet controller and what it is plugged into. */
export interface LanceOptions {
  /** The 6 bytes of the station address ROM. The address that frames are filtered by is the guest's to set. */
  readonly mac: Uint8Array;
  readonly wire: Wire;
  /** How the CPU sees the 64 KB of buffer memory: as plain RAM, or 16 bits in every 32 as on the KN01. Default linear. */
  readonly geometry?: 'linear' | 'kn01';
}

/** A disk: what is on it, and the shape of the drive. */
export interface DiskOptions {
  readonly store: BlockStore;
  readonly geometry?: DiskGeometry;
}

/** What executes instructions. */
export type Engine = 'interpreter' | 'translator';

/** What a machine is made of. */
export interface MachineOptions {
  /** Guest RAM in bytes, a multiple of 4096 up to 256 MiB. Default 16 MiB. */
  readonly ramBytes?: number;
  /** How long things take. Default `ideal`: one cycle per instruction at 25 MHz. */
  readonly profile?: Profile;
  /**
   * Cycles per second of profile `ideal`, an integer from 10^6 to 4·10^9: how fast the machine is for what is outside of it. Default
   * 25,000,000. The other profiles have the clock of their model.
   */
  readonly hz?: number;
  /**
   * What the CPU can do besides MIPS I, as `isa` names it: `mips32` adds `ll sc movz movn clz mul ext ins seb seh teq`. Default
   * nothing: those words are Reserved Instructions.
   */
  readonly extensions?: readonly Extension[];
  /** What the boot PROM at 0x1fc00000 holds, at most 256 KiB (see `bootProm`). Without it there is none. */
  readonly prom?: Uint8Array;
  /** Without it there is no Ethernet controller and no buffer memory. */
  readonly lance?: LanceOptions;
  /** Without it there is no disk. */
  readonly disk?: DiskOptions;
  /** Devices of others, each in a slot of the bus that is free. */
  readonly devices?: readonly DeviceOptions[];
  /** Characters that the guest sends on its serial lines 0 to 3. Must not touch the machine. */
  readonly serial?: (line: number, byte: number) => void;
  /** What the real-time clock says at power-on, in seconds since 1970 (an integer up to 2^40). Default 0. */
  readonly startTime?: number;
  /**
   * How instructions are executed, to the same effect: one by one, or hot code as WebAssembly. Default: `translator` where
   * the host lets code be made, else `interpreter`.
   */
  readonly engine?: Engine;
  /**
   * A name for what the host loads into it, for instance a hash of the program's file. Snapshots and recordings of a machine with
   * another program are refused. Default: none.
   */
  readonly program?: string;
  /** When the translator sets to work. Only speed depends on it. */
  readonly translation?: TranslationOptions;
  /** False executes idle loops instruction by instruction, to the same effect. Default true. */
  readonly fastIdle?: boolean;
}
