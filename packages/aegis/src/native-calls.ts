/**
 * The system calls that TypeScript executes: bindings. Each reads its arguments from the caller's registers, checks the
 * capabilities, and answers with a code in v0 and results in v1, a0 to a3. What each does stands in calls/.
 */
import { CALLS, type CallName, type NativeFunction } from '@exokernel/abi';
import { Arguments, type Call, type Parts } from './call.ts';
import { cacheCalls } from './calls/cache.ts';
import { deviceCalls } from './calls/device.ts';
import { environmentCalls } from './calls/environment.ts';
import { memoryCalls } from './calls/memory.ts';
import { networkCalls } from './calls/network.ts';
import { processorCalls } from './calls/processor.ts';
import { COSTS } from './costs.ts';

const V0 = 2;
const V1 = 3;
const A0 = 4;

/** The kernel's native functions by index: each call at its number. */
export function nativeCalls(parts: Parts): Map<number, NativeFunction> {
  const calls = callTable(parts);
  const functions = new Map<number, NativeFunction>();
  for (const [name, call] of Object.entries(calls)) {
    functions.set(CALLS[name as CallName].number, (cpu) => {
      cpu.charge(COSTS.call);
      const answer = call(new Arguments(cpu), parts.memory.current);
      const value = typeof answer === 'number' ? answer : answer.value;
      cpu.registers[V0] = Math.min(value, 0);
      if (value < 0) return;
      cpu.registers[V1] = value;
      if (typeof answer !== 'number') answer.capability.forEach((word, i) => (cpu.registers[A0 + i] = word));
    });
  }
  return functions;
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
