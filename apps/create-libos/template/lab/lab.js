/**
 * What things cost in executed cycles: `npm run lab`, or `npm run -s lab -- --json`. Each program in `programs` does one thing
 * 64 times. A fault allocates a frame: that call of the kernel's is no machine code, and costs what is declared for it.
 */
import { boot, compile } from '../host/machine.js';

const PROFILE = 'dec5000';
const TIMES = 64;
const PROGRAMS = ['call', 'fault'];

const options = process.argv.slice(2);
if (options.some((option) => option !== '--json')) {
  process.stderr.write(`lab: there is no ${options.join(' ')}: use --json\n`);
  process.exit(2);
}

/**
 * Cycles that an environment has been charged with until its end.
 *
 * @param {string} name
 */
async function cyclesOf(name) {
  process.stderr.write(`${name}\n`);
  const os = await compile(new URL(`programs/${name}.ts`, import.meta.url));
  const world = boot([os.alone()], { profile: PROFILE });
  const ending = world.finish();
  if (ending !== 'exited with 0') throw new Error(`${name} ${ending ?? 'has not ended'}`);
  return world.aegis.environment(0).cycles;
}

const nothing = await cyclesOf('empty');
const rows = [];
for (const name of PROGRAMS) rows.push({ what: name, cycles: Math.round(((await cyclesOf(name)) - nothing) / TIMES) });
if (options.includes('--json')) process.stdout.write(`${JSON.stringify({ profile: PROFILE, rows })}\n`);
else console.table(rows);
