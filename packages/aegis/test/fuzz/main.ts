/**
 * The fuzzer without a test runner: `node main.ts CALLS [SEED]`. Tells on stderr how far it is, and ends with 1 at the first finding.
 */
import { episode, EPISODE_CALLS } from './episode.ts';

const [wanted = EPISODE_CALLS, first = 1] = process.argv.slice(2).map(Number);
let [calls, cycles] = [0, 0];
for (let seed = first; calls < wanted; seed += 1) {
  const started = performance.now();
  const result = episode(seed, EPISODE_CALLS);
  // One that hardly gets to call anything counts, too.
  calls += Math.max(result.calls, 200);
  cycles += result.cycles;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stderr.write(`fuzz: seed ${seed}, ${calls} of ${wanted} calls, ${cycles} cycles, ${seconds} s\n`);
  if (result.findings.length > 0) {
    process.stderr.write(`fuzz: seed ${seed} finds\n  ${result.findings.join('\n  ')}\n`);
    process.exitCode = 1;
    break;
  }
}
