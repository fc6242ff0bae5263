/**
 * Snapshots, in a process of its own. Prints milliseconds of host time, medians: to save a machine of 16 MB with a quarter of its pages in use, into
 * memory that the process has had before and into new memory, of which the host makes each page as it is touched; to save what differs from an earlier snapshot; and, where a kernel has been built, to restore Linux and run five million cycles.
 */
import { Machine } from '@exokernel/hardware';
import { linuxProgram } from '../../src/linux/boot.ts';
import { cachedKernel } from '../../src/linux/kernel.ts';
import { initProgram, initramfs } from '../../src/linux/userland.ts';
import { bareMachine } from '../../src/run-machine.ts';
import { machineSettings } from '../../src/run-options.ts';
import { median } from '../report.ts';

const ROUNDS = 50;
const STEP = 5_000_000;
/** Into the middle of the boot, where it works and does not wait. */
const BOOT = 60_000_000;

function time(run: () => void): number {
  const started = performance.now();
  run();
  return performance.now() - started;
}

function times(run: () => void, before?: () => void): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    before?.();
    return time(run);
  });
  return median(rounds);
}

/** Gives the host's allocator back what nothing uses any more. */
function collect(): void {
  globalThis.gc?.();
}

const machine = new Machine({ ramBytes: 16 << 20 });
machine.memory.write(
  0,
  Uint8Array.from({ length: 4 << 20 }, (_, i) => i * 7 + 1),
);
const base = machine.snapshot();
const fresh = times(() => machine.snapshot());
const save = times(() => machine.snapshot(), collect);
machine.memory.store32(0x1000, 1);
const delta = times(() => machine.snapshot(base));
process.stdout.write(JSON.stringify({ save, fresh, delta, linux: await linux() }));

/** Restoring Linux in user space and running it on, or null where there is no kernel. */
async function linux(): Promise<number | null> {
  const kernel = cachedKernel();
  if (kernel === undefined) return null;
  const settings = machineSettings({});
  const command = ['sh'];
  const program = linuxProgram({ kernel, initramfs: initramfs(await initProgram()), command }, settings);
  const { machine: guest, close } = bareMachine(program, settings, () => undefined);
  guest.run(BOOT);
  const saved = guest.snapshot();
  guest.run(STEP);
  const found = times(() => {
    guest.restore(saved);
    guest.run(STEP);
  });
  close();
  return found;
}
