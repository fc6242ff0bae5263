/** A machine with the kernel, a library operating system and one program on it, ready to be switched on. */
import { Aegis, AegisError } from '@exokernel/aegis';
import { Machine, type MachineOptions } from '@exokernel/hardware';
import { fileStore } from '@exokernel/hardware/node';
import { compose, type InterfaceName, type LinkedProgram } from '@exokernel/libos-kit';
import { UsageError } from './error.ts';
import { libosOf, orNoProgram } from './liboses.ts';
import { orRefuse } from './refusal.ts';
import { CONSOLE_LINE, hashOf, machineOptions, type ReadyMachine } from './run-machine.ts';
import type { MachineSettings } from './run-options.ts';

/** `serial` gets what the console prints, a byte at a time, and must not touch the machine. Throws `UsageError`. */
export function libosMachine(
  name: string,
  program: LinkedProgram<InterfaceName>,
  settings: MachineSettings,
  serial: (byte: number) => void,
  lance?: MachineOptions['lance'],
): ReadyMachine {
  const image = orNoProgram(name, () => compose(libosOf(program.libos), program, { serialLine: CONSOLE_LINE }));
  const { disk: path } = settings;
  const disk = path === undefined ? undefined : orRefuse(path, () => fileStore(path));
  try {
    return orRefuse(name, () => {
      const hash = hashOf(program.pages.map(({ va, bytes }) => ({ vaddr: va, bytes })));
      const machine = new Machine({ ...machineOptions(settings, serial, disk, lance), program: hash });
      const aegis = new Aegis(machine);
      const env = aegis.load(image);
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
