/** A machine with the kernel, a library operating system and one program on it, or one that needs no program, ready to be switched on. */
import { Aegis, AegisError } from '@exokernel/aegis';
import { Machine, type MachineOptions } from '@exokernel/hardware';
import { fileStore } from '@exokernel/hardware/node';
import {
  compiledLibOs,
  compose,
  type CompiledLibrary,
  type CompiledPlacement,
  type InterfaceName,
  type LinkedProgram,
} from '@exokernel/libos-kit';
import { parseIpv4 } from '@exokernel/net';
import { UsageError } from './error.ts';
import { libosOf, orNoProgram } from './liboses.ts';
import { orRefuse } from './refusal.ts';
import { CONSOLE_LINE, hashOf, machineOptions, type ReadyMachine } from './run-machine.ts';
import type { MachineSettings } from './run-options.ts';

/** Assumption: hosts on the command line's wires are in networks of 24 bits, as Linux's here are. */
const NETMASK = 0xffffff00;

/** Sectors of a block. */
const SECTORS = 8;

/** What is to run, the file's name, and who it is on the network. A library is a whole library operating system, and gets the disk as its extent. */
export interface LibosProgram {
  readonly name: string;
  readonly program: LinkedProgram<InterfaceName> | CompiledLibrary;
  readonly ip?: string | undefined;
  /** Environments that run it, of which the first counts. */
  readonly copies?: number | undefined;
}

/** `serial` gets what the console prints, a byte at a time, and must not touch the machine. Throws `UsageError`. */
export function libosMachine(
  { name, program, ip, copies = 1 }: LibosProgram,
  settings: MachineSettings,
  serial: (byte: number) => void,
  lance?: MachineOptions['lance'],
): ReadyMachine {
  const isLibrary = !('kind' in program);
  if (!isLibrary && program.needs.includes('udp') && ip === undefined) {
    throw new UsageError(`${name} needs a network: use --ip`);
  }
  const station = ip === undefined ? {} : { station: { mac: settings.mac, ip: parseIpv4(ip), netmask: NETMASK } };
  // The kernel's driver sees the controller's memory so.
  const linear = lance === undefined ? undefined : ({ ...lance, geometry: 'linear' } as const);
  const { disk: path } = settings;
  const disk = path === undefined ? undefined : orRefuse(path, () => fileStore(path));
  try {
    const blocks = disk === undefined ? 0 : Math.floor(disk.blocks / SECTORS);
    const extent = isLibrary && blocks > 0 ? { extent: { start: 0, blocks } } : {};
    const placement: CompiledPlacement = { serialLine: CONSOLE_LINE, ...station, ...extent };
    const image = orNoProgram(name, () =>
      isLibrary ? compiledLibOs([], program).alone(placement) : compose(libosOf(program.libos), program, placement),
    );
    return orRefuse(name, () => {
      const parts = isLibrary ? image.frames.map((bytes, i) => ({ va: i, bytes })) : program.pages;
      const hash = hashOf(parts.map(({ va, bytes }) => ({ vaddr: va, bytes })));
      const machine = new Machine({ ...machineOptions(settings, serial, disk, linear), program: hash });
      const aegis = new Aegis(machine);
      const [env = 0] = Array.from({ length: copies }, () => aegis.load(image));
      return {
        machine,
        // Its children, too.
        halted: () => aegis.environments().every(({ status }) => status === 'dead'),
        ending: () => {
          const { cause, exit } = aegis.environment(env);
          if (cause === undefined) return undefined;
          return { isItsOwn: cause.kind === 'exit', text: `${program.name} ${cause.text}`, exit };
        },
        close: () => disk?.close(),
      };
    });
  } catch (error) {
    disk?.close();
    throw error instanceof AegisError ? new UsageError(`${name}: ${error.message}`) : error;
  }
}
