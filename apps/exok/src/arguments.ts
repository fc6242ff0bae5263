/** Reading the command line; what it refuses is a `UsageError` that names the value. */
import { UsageError } from './error.ts';

/** Runs a strict `parseArgs`. */
export function parse<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split(/\.\s/)[0] ?? error.message) : String(error));
  }
}

/** What stands before `--`, and what after it. */
export function split(args: readonly string[]): { readonly own: string[]; readonly rest: string[] } {
  const at = args.includes('--') ? args.indexOf('--') : args.length;
  return { own: args.slice(0, at), rest: args.slice(at + 1) };
}

/** An integer from `least` to `most`. */
export function integer(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < least || value > most) {
    throw new UsageError(`--${option} ${text}: use ${least} to ${most}`);
  }
  return value;
}

/** Resolves on the first SIGINT or SIGTERM. */
export function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        resolve();
      });
  });
}
