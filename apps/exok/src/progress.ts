/** Progress on stderr: one line that is rewritten on a terminal, a line now and then elsewhere. */

/** Says what is going on. */
export type Progress = (text: string) => void;

/** Least time between two lines, in ms. */
const TERMINAL_MS = 100;
const LOG_MS = 2000;

export function createProgress(stream: NodeJS.WriteStream): { readonly say: Progress; readonly end: () => void } {
  const interval = stream.isTTY ? TERMINAL_MS : LOG_MS;
  let last = -Infinity;
  return {
    say: (text) => {
      const now = performance.now();
      if (now - last < interval) return;
      last = now;
      stream.write(stream.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
    },
    end: () => {
      if (stream.isTTY) stream.write('\r\u001b[K');
    },
  };
}
