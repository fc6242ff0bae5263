/** How long Linux takes to user space: with a kernel that `exok linux build` has left in its cache. */
import { parseArgs } from 'node:util';
import { EVENT_KINDS } from '@exokernel/hardware';
import { linuxProgram } from '../../src/linux/boot.ts';
import { cachedKernel } from '../../src/linux/kernel.ts';
import { initProgram, initramfs } from '../../src/linux/userland.ts';
import { bareMachine } from '../../src/run-machine.ts';
import { MACHINE_OPTIONS, machineSettings } from '../../src/run-options.ts';

const STEP = 250_000;
const KERNEL = 0x80000000;
/** Far beyond any boot, in cycles. */
const LIMIT = 1e9;

/** Host seconds from switching on until the first instruction in user mode has asked the kernel for something. */
export async function bootSeconds(): Promise<number | undefined> {
  const kernel = cachedKernel();
  if (kernel === undefined) {
    process.stderr.write('cpu: no kernel in the cache (npm run exok -- linux build), so there is no row for Linux\n');
    return undefined;
  }
  const { values } = parseArgs({ args: ['--engine', 'translator'], options: MACHINE_OPTIONS });
  const settings = machineSettings(values);
  const program = linuxProgram({ kernel, initramfs: initramfs(await initProgram()), command: ['hello'] }, settings);
  const { machine, close } = bareMachine(program, settings, () => undefined);
  const arrived = { inUserSpace: false };
  machine.listen((kind, _cycle, _code, epc) => {
    if (kind === EVENT_KINDS.exception.kind && epc < KERNEL) arrived.inUserSpace = true;
  });
  const started = performance.now();
  while (!arrived.inUserSpace && machine.cycles < LIMIT) machine.run(STEP);
  close();
  if (!arrived.inUserSpace) throw new Error('Linux does not come to user space');
  return (performance.now() - started) / 1000;
}
