/** What the checks of invariants have in common. */
import { ENV, ENV_LIMIT, ENV_STATUS } from '@exokernel/abi';
import type { Aegis } from '@exokernel/aegis';

/** Notes what does not hold. */
export type Report = (holds: boolean, what: string) => void;

/** Whether an environment has begun and has not ended. */
export function isAlive({ parts: { memory } }: Aegis, env: number): boolean {
  if (env < 0 || env >= ENV_LIMIT) return false;
  const status = memory.env(env, ENV.status);
  return status === ENV_STATUS.embryo || status === ENV_STATUS.runnable;
}
