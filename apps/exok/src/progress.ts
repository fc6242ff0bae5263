/** Progress on stderr: a line that is rewritten on a terminal, a line now and then elsewhere. */
import ora from 'ora';

/** Says what is going on. */
export type Progress = (text: string) => void;

/** Least time between two lines, in ms. */
const TERMINAL_MS = 100;
const LOG_MS = 2000;

/** A terminal that cannot move its cursor (TERM=dumb), or has no width, is written to like a file. */
export function createProgress(stream: NodeJS.WriteStream): { readonly say: Progress; readonly end: () => void } {
  // Of a terminal without a width, as `script` makes one without a terminal of its own, ora would erase lines for ever.
  const isEnabled = stream.isTTY && stream.columns > 0 && process.env['TERM'] !== 'dumb';
  const colour = process.env['NO_COLOR'] === undefined || process.env['NO_COLOR'] === '';
  const spinner = ora({ stream, isEnabled, discardStdin: false, color: colour ? 'cyan' : false });
  let last = -Infinity;
  return {
    say: (text) => {
      const now = performance.now();
      if (now - last < (isEnabled ? TERMINAL_MS : LOG_MS)) return;
      last = now;
      if (!isEnabled) {
        stream.write(`${text}\n`);
        return;
      }
      spinner.text = text;
      if (!spinner.isSpinning) spinner.start();
      // The work keeps the thread, so that the spinner's own timer does not run.
      spinner.render();
    },
    end: () => {
      spinner.stop();
    },
  };
}
