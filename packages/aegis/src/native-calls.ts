/**
 * The system calls that TypeScript executes: bindings. Each reads its arguments from the caller's registers, checks the
 * capabilities, and answers with a code in v0 and results in v1, a0 to a3. What each does stands in calls/.
 */
import { CALLS, ENV, type CallName, type NativeCpu, type NativeFunction } from '@exokernel/abi';
import { A0, V0, V1 } from '@exokernel/isa';
import { AGAIN, Arguments, type Call, type Parts } from './call.ts';
import { cacheCalls } from './calls/cache.ts';
import { deviceCalls } from './calls/device.ts';
import { environmentCalls } from './calls/environment.ts';
import { memoryCalls } from './calls/memory.ts';
import { networkCalls } from './calls/network.ts';
import { processorCalls } from './calls/processor.ts';
import { COSTS } from './costs.ts';
import { KP } from './layout.ts';
import type { KernelMemory } from './memory.ts';

/** In KP.reschedule: the caller pays the rest first. */
const PAYS = 2;

/** The kernel's native functions by index: each call at its number. */
export function nativeCalls(parts: Parts): Map<number, NativeFunction> {
  const calls = callTable(parts);
  const functions = new Map<number, NativeFunction>();
  for (const [name, call] of Object.entries(calls)) {
    const { number } = CALLS[name as CallName];
    functions.set(number, (cpu) => {
      const answer = call(new Arguments(cpu), parts.memory.current);
      if (answer === AGAIN) {
        repeat(cpu, number, parts.memory);
        return;
      }
      const value = typeof answer === 'number' ? answer : answer.value;
      cpu.registers[V0] = Math.min(value, 0);
      if (value < 0) return;
      cpu.registers[V1] = value;
      if (typeof answer !== 'number') answer.capability.forEach((word, i) => (cpu.registers[A0 + i] = word));
    });
  }
  return functions;
}
/** The caller goes on at its `syscall`, with the number of the call again in v0 and the arguments where they are. */
function repeat(cpu: NativeCpu, number: number, memory: KernelMemory): void {
  cpu.registers[V0] = number;
  const { current } = memory;
  memory.setEnv(current, ENV.repeated, memory.env(current, ENV.repeated) + 1);
  memory.setKernelPage(KP.epc, memory.kernelPage(KP.epc) - 4);
}

/** A function of the kernel that is charged for the work that it does. */
export function counted(memory: KernelMemory, run: NativeFunction): NativeFunction {
  return (cpu) => {
    // What others read of memory since is not this one's.
    memory.spent();
    memory.charge(1, COSTS.call);
    run(cpu);
    cpu.charge(memory.spent());
  };
}

/**
 * The same of one that does not hold interrupts off for longer than a stretch, also if it has found more to do than it had estimated:
 * the machine code has the rest paid in pieces (text/rest.ts).
 */
export function bounded(memory: KernelMemory, run: NativeFunction): NativeFunction {
  return counted(memory, (cpu) => {
    run(cpu);
    const rest = memory.cut();
    if (rest === 0) return;
    memory.setKernelPage(KP.rest, rest);
    memory.setKernelPage(KP.reschedule, memory.kernelPage(KP.reschedule) | PAYS);
    memory.setKernelPage(KP.again, 1);
  });
}

function callTable(parts: Parts): Record<string, Call> {
  return {
    ...memoryCalls(parts),
    ...environmentCalls(parts),
    ...processorCalls(parts),
    ...networkCalls(parts),
    ...deviceCalls(parts),
    ...cacheCalls(parts),
  };
}
