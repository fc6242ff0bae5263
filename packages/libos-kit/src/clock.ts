/**
 * The Clock interface over the kernel's tick and sleep calls: the same for every library operating system.
 */
import { CALLS } from '@exokernel/abi';
import { A0, RA, S0, SP, V0, V1, ZERO, type Assembler, type Assembly } from '@exokernel/isa';
import type { Fibers } from './fiber.ts';
import { address } from './image.ts';
import type { Clock } from './interfaces.ts';

/** Emits the entry points clock_ticks and clock_sleep. */
export function emitClock(a: Assembler): void {
  a.label('clock_ticks');
  a.li(V0, CALLS.tick.number);
  a.syscall(0);
  a.ret();
  a.move(V0, V1);

  // Events that end a sleep early are not for us: sleep again until the tick has come, which is at least the next.
  a.label('clock_sleep');
  a.addiu(SP, SP, -8);
  a.sw(RA, 4, SP);
  a.bgtz(A0, 'clock_sleep.begin');
  a.sw(S0, 0, SP);
  a.li(A0, 1);
  a.label('clock_sleep.begin');
  a.bal('clock_ticks');
  a.move(S0, A0);
  a.addu(S0, S0, V0);
  a.label('clock_sleep.again');
  a.bal('kit.sleep');
  a.move(A0, S0);
  a.bal('clock_ticks');
  a.nop();
  a.subu(V0, V0, S0);
  a.bltz(V0, 'clock_sleep.again');
  a.lw(RA, 4, SP);
  a.lw(S0, 0, SP);
  a.addiu(SP, SP, 8);
  a.ret();
  a.move(V0, ZERO);
}

/** The interface for TypeScript programs, over those entry points. */
export function fiberClock(fibers: Fibers, runtime: Assembly): Clock {
  const ticks = address(runtime, 'clock_ticks');
  const sleep = address(runtime, 'clock_sleep');
  return {
    ticks: () => fibers.call(ticks),
    *sleep(n) {
      yield* fibers.call(sleep, n);
    },
  };
}
