/** What `exok lab` does: runs labs one after the other, and prints what came of each. */
import { MODELS, type LabRow, type Model } from '@exokernel/labs';
import { EXIT } from '../error.ts';
import { createProgress } from '../progress.ts';
import { format, toJson } from './report.ts';

export interface LabSettings {
  /** One machine only. */
  readonly profile: Model | undefined;
  /** Fewer repetitions. */
  readonly short: boolean;
  /** One object for each lab on stdout. */
  readonly json: boolean;
}

/** Returns the exit code. */
export async function runLabs(labs: readonly LabRow[], { profile, short, json }: LabSettings): Promise<number> {
  const models = profile === undefined ? MODELS : [profile];
  const progress = createProgress(process.stderr);
  let holds = true;
  try {
    for (const { name, what, load } of labs) {
      const lab = await load();
      const result = lab(models, short ? 'short' : 'full', (text) => {
        progress.say(`${name}: ${text}`);
      });
      progress.end();
      if (labs.length > 1 && !json) process.stdout.write(`\n${name}: ${what}\n\n`);
      process.stdout.write(json ? toJson(result) : format(result));
      holds &&= result.claims.every((claim) => claim.holds);
    }
  } finally {
    progress.end();
  }
  return holds ? EXIT.ok : EXIT.failed;
}
