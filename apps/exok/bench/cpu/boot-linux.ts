/**
 * One boot of Linux, in a process of its own, with a kernel that `exok linux build` has left in its cache. Prints the host
 * seconds from switching on until a program in user mode asks the kernel for something; null if there is no kernel.
 */
import { EVENT_KINDS } from '@exokernel/hardware';
import { linuxProgram } from '../../src/linux/boot.ts';
import { cachedKernel } from '../../src/linux/kernel.ts';
import { initProgram, initramfs } from '../../src/linux/userland.ts';
import { bareMachine } from '../../src/run-machine.ts';
import { machineSettings } from '../../src/run-options.ts';

const STEP = 250_000;
const KERNEL = 0x80000000;
/** Far beyond any boot, in cycles. */
const LIMIT = 1e9;

async function bootSeconds(kernel: string): Promise<number> {
  const settings = machineSettings({ engine: 'translator' });
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

const kernel = cachedKernel();
process.stdout.write(JSON.stringify({ seconds: kernel === undefined ? null : await bootSeconds(kernel) }));
