/** One run of the mix on v86, in a process of its own: `run-v86.ts <program>`. Prints the result and host seconds. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { V86 } from 'v86';

const file = readFileSync(process.argv[2] ?? '');
const wasm = join(dirname(createRequire(import.meta.url).resolve('v86')), 'v86.wasm');
const emulator = new V86({
  wasm_path: wasm,
  memory_size: 64 * 2 ** 20,
  vga_memory_size: 2 * 2 ** 20,
  multiboot: { buffer: file.buffer.slice(file.byteOffset, file.byteOffset + file.length) },
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
});
let started = performance.now();
let text = '';
emulator.add_listener('emulator-started', () => {
  started = performance.now();
});
emulator.add_listener('serial0-output-byte', (byte: number) => {
  if (byte !== '.'.charCodeAt(0)) {
    text += String.fromCharCode(byte);
    return;
  }
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(JSON.stringify({ result: parseInt(text, 16), seconds }));
  process.exit();
});
