/** Reading the command line: what commander does not know. */
import { InvalidArgumentError } from 'commander';

/** What stands before `--`, and what after it. */
export function split(args: readonly string[]): { readonly own: string[]; readonly rest: string[] } {
  const at = args.includes('--') ? args.indexOf('--') : args.length;
  return { own: args.slice(0, at), rest: args.slice(at + 1) };
}

/** Parses an option that is an integer from `least` to `most`. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`Use ${least} to ${most}.`);
    }
    return value;
  };
}

/** Parses an option that is an IPv4 address; it stays as it is written. */
export function address(text: string): string {
  const parts = text.split('.');
  if (parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return text;
  throw new InvalidArgumentError('Use an address such as 10.0.0.1.');
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
