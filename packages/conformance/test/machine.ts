/** The machine of these tests: that of the test kit, whose slices may be shorter. */
import { REVOKE_KINDS } from '@exokernel/abi';
import type { Aegis } from '@exokernel/aegis';
import { boot, quicken } from '../../testkit/src/index.ts';
import type { Boot } from '../src/index.ts';

/** `hertz`: how many slices begin in a second; as given nothing: 64. `made` is told of each kernel. */
export function bootAt(hertz?: Parameters<typeof quicken>[1], made: (aegis: Aegis) => void = () => undefined): Boot {
  return (images) => {
    const booted = boot(images);
    if (hertz !== undefined) quicken(booted, hertz);
    const { machine, aegis } = booted;
    made(aegis);
    return {
      run: (ticks) => {
        machine.run(Math.ceil((ticks * machine.hz) / 64));
      },
      environment: (id) => {
        const ending = aegis.ending(id);
        return { exit: ending?.isItsOwn === true ? aegis.environment(id).exit : undefined, ending: ending?.text };
      },
      serial: (line) => booted.serial(line),
      framesFree: () => aegis.framesFree,
      revoke: (id, frames) => {
        aegis.parts.revocation.ask(id, REVOKE_KINDS.frames, frames);
      },
    };
  };
}
