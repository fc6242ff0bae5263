/**
 * Processes as environments: who this is, children, waiting for one to end.
 *
 * A parent learns of a child's end from the kernel's environment table, which it maps read-only; the kernel wakes a parent
 * when a child ends.
 */
import { DEATHS, ENV, ENV_BYTES, ENV_STATUS, TICKS_PER_SECOND } from '@exokernel/abi';
import { A0, S1, S2, SP, V0, ZERO, type Assembler, type Assembly } from '@exokernel/isa';
import { BOOT_STACK_TOP, UKIT, address, type Fiber, type Fibers, type Processes } from '@exokernel/libos-kit';
import { fork, type Start, type Text } from './fork.ts';
import { CHILDREN, DESCRIPTORS, UEXOS, WINDOWS } from './layout.ts';

/** Exit code of a process that touched memory it may not, or executed what it cannot. */
export const BAD_ADDRESS = 139;
/** What `wait` tells of a process that the kernel ended, or another environment. */
export const KILLED = 137;

/**
 * Emits `exos.exit` (a0 = code): closes every pipe and ends the process; and `exos.bad`, the end of one that erred, whose
 * stack pointer may be what erred.
 */
export function emitExit(a: Assembler): void {
  a.label('exos.bad');
  a.j('exos.failed');
  a.li(SP, BOOT_STACK_TOP);
  a.label('exos.exit');
  a.move(S1, A0);
  a.move(S2, ZERO);
  a.label('exos.exit.next');
  a.bal('pipe_close');
  a.move(A0, S2);
  a.addiu(S2, S2, 1);
  a.sltiu(V0, S2, DESCRIPTORS);
  a.bnez(V0, 'exos.exit.next');
  a.nop();
  a.j('kit.exit');
  a.move(A0, S1);
}

/** Emits how a process ends that erred. It stands behind the text that is measured, which keeps its lines of the cache. */
export function emitFailed(a: Assembler): void {
  a.label('exos.failed');
  a.li(A0, BAD_ADDRESS);
  a.j('exos.exit');
  a.sw(A0, UKIT.failed, ZERO);
}

/**
 * Forks, and remembers the child, of which `made` is told before it runs. The child starts as told; the parent gets its
 * number or a negative error.
 */
export function* forkProcess(
  fibers: Fibers,
  text: Text,
  start: Start,
  made: (child: number) => void = () => undefined,
): Fiber<number> {
  const slot = yield* findChild(fibers, 0);
  if (slot < 0) return -1;
  const child = yield* fork(fibers, text, start, function* (process) {
    // Before it runs: it may end before we do again.
    yield* fibers.store(slot + 4, yield* record(fibers, process, ENV.generation));
    yield* fibers.store(slot, process + 1);
    made(process);
  });
  if (child < 0) yield* fibers.store(slot, 0);
  return child;
}

/** Waits for any child. The child and its code, or `undefined` if there is none. */
export function* waitForChild(
  fibers: Fibers,
  runtime: Assembly,
): Fiber<{ readonly process: number; readonly code: number } | undefined> {
  for (;;) {
    let children = 0;
    for (let i = 0; i < CHILDREN; i += 1) {
      const slot = UEXOS.children + 8 * i;
      const child = (yield* fibers.load(slot)) - 1;
      if (child < 0) continue;
      children += 1;
      const generation = yield* fibers.load(slot + 4);
      const same = generation === (yield* record(fibers, child, ENV.generation));
      if (same && (yield* record(fibers, child, ENV.status)) !== ENV_STATUS.dead) continue;
      yield* fibers.store(slot, 0);
      // A record that was reused no longer tells how its former tenant ended.
      const death = same ? yield* record(fibers, child, ENV.death) : DEATHS.none;
      return { process: child, code: death === DEATHS.exit ? yield* record(fibers, child, ENV.exit) : KILLED };
    }
    if (children === 0) return undefined;
    const now = yield* fibers.call(address(runtime, 'clock_ticks'));
    yield* fibers.call(address(runtime, 'kit.sleep'), now + TICKS_PER_SECOND);
  }
}

/** The interface for TypeScript programs. `children` holds what the children of this image are to run. */
export function fiberProcesses(fibers: Fibers, text: Text, children: Map<number, () => Fiber<number>>): Processes {
  const { runtime } = text;
  return {
    self: () => fibers.load(UEXOS.self),
    *yield(process) {
      yield* fibers.call(address(runtime, 'process_yield'), process);
    },
    *fork(child) {
      const start = { registers: fibers.cpu.registers.slice(), pc: address(runtime, 'exos.start.child') };
      return yield* forkProcess(fibers, text, start, (process) => {
        children.set(process, child);
      });
    },
    wait: () => waitForChild(fibers, runtime),
  };
}

/** A word of the kernel's record of an environment. */
function record(fibers: Fibers, env: number, field: number): Fiber<number> {
  return fibers.load(WINDOWS.environments + env * ENV_BYTES + field);
}

/** Address of the child slot that holds `value`, or −1. */
function* findChild(fibers: Fibers, value: number): Fiber<number> {
  for (let i = 0; i < CHILDREN; i += 1) {
    const slot = UEXOS.children + 8 * i;
    if ((yield* fibers.load(slot)) === value) return slot;
  }
  return -1;
}
