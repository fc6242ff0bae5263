/** The machine of these tests: that of the test kit, whose slices may be shorter. */
import { REVOKE_KINDS } from '@exokernel/abi';
import type { Aegis } from '@exokernel/aegis';
import { Wire, memoryStore } from '../../hardware/src/index.ts';
import { boot, quicken } from '../../testkit/src/index.ts';
import type { Boot } from '../src/index.ts';

/** `hertz`: how many slices begin in a second; as given nothing: 64. `made` is told of each kernel. */
export function bootAt(hertz?: Parameters<typeof quicken>[1], made: (aegis: Aegis) => void = () => undefined): Boot {
  return (images, { disk, mac }) => {
    const wire = mac === undefined ? undefined : new Wire();
    const booted = boot(images, {
      ...(disk === undefined ? {} : { disk: { store: memoryStore(disk) } }),
      ...(mac === undefined || wire === undefined ? {} : { lance: { mac, wire } }),
    });
    if (hertz !== undefined) quicken(booted, hertz);
    const { machine, aegis } = booted;
    made(aegis);
    return {
      run: (ticks) => {
        machine.run(Math.ceil((ticks * machine.hz) / 64));
      },
      environment: (id) => {
        const { exit, cause } = aegis.environment(id);
        return { exit: cause?.kind === 'exit' ? exit : undefined, ending: cause?.text };
      },
      serial: (line) => booted.serial(line),
      framesFree: () => aegis.framesFree,
      revoke: (id, frames) => {
        aegis.parts.revocation.ask(id, REVOKE_KINDS.frames, frames);
      },
      revokeSlices: (id, slices) => {
        aegis.parts.revocation.ask(id, REVOKE_KINDS.slices, slices);
      },
      wire,
      powerCut: () => {
        machine.powerCut();
      },
    };
  };
}
