/** Every lab by its name. */
import { calibrate, FULL, SHORT } from './calibration.ts';
import { exceptionsLab } from './exceptions.ts';
import { forgeLab } from './forge.ts';
import { ipcLab, trustedLrpcLab } from './ipc.ts';
import type { Lab } from './lab.ts';
import { pctLab } from './pct.ts';
import { matmulLab } from './matmul.ts';
import { revokeLab } from './revoke.ts';
import { stlbLab } from './stlb.ts';
import { strideLab } from './stride.ts';
import { syscallLab } from './syscall.ts';
import { vmLab } from './vm.ts';

const calibration: Lab = {
  name: 'calibration',
  what: 'do the timing profiles take as long as the machines they are named for?',
  run: (models, effort) => calibrate(models, effort === 'full' ? FULL : SHORT),
};

export const LABS: readonly Lab[] = [
  calibration,
  syscallLab,
  exceptionsLab,
  pctLab,
  ipcLab,
  trustedLrpcLab,
  vmLab,
  matmulLab,
  strideLab,
  stlbLab,
  revokeLab,
  forgeLab,
];
