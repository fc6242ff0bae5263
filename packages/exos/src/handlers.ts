/** What each exception of a process is handled by: page faults by policies, the first use of the floating-point unit, everything else ends the process. */
import type { ExceptionName } from '@exokernel/abi';

/** Labels of the runtime. */
export const HANDLERS: Readonly<Partial<Record<ExceptionName, string>>> = {
  tlbl: 'fault.tlbl',
  tlbs: 'fault.tlbs',
  mod: 'exos.mod',
  adel: 'exos.bad',
  ades: 'exos.bad',
  ibe: 'exos.bad',
  dbe: 'exos.bad',
  breakpoint: 'exos.bad',
  reserved: 'exos.bad',
  coprocessor: 'exos.float',
  overflow: 'exos.bad',
  floatingPoint: 'exos.bad',
};
