/** The demo that tells its heap to its parent when asked. Started by the benchmark with --expose-gc, and with the disk. */
import { serveDemo } from '../../src/demo/run.ts';
import { untilInterrupted } from '../../src/arguments.ts';

const [, , disk] = process.argv;
const { gc } = globalThis as { gc?: () => void };

process.on('message', () => {
  gc?.();
  gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  process.send?.(heapUsed + arrayBuffers);
});
await serveDemo({
  port: 0,
  disk,
  mhz: 200,
  net: undefined,
  say: () => undefined,
  progress: () => undefined,
  stop: untilInterrupted(),
  ready: (url) => process.stderr.write(`serving ${url}\n`),
});
process.exit();
