/** Interface `console`. */
import { compiledCase, fiberCase, type ProgramCase } from './case.ts';

const LONG_TEXT = Array.from({ length: 40 }, (_, i) => `line ${i} of a text longer than any queue\n`).join('');
const TEXT = `grüß dich\n${LONG_TEXT}`;

export const CONSOLE: readonly ProgramCase[] = [
  fiberCase(
    'text comes out whole and in order',
    ['console'],
    function* (os) {
      yield* os.console.write('grüß dich\n');
      yield* os.console.write('');
      yield* os.console.write(LONG_TEXT);
    },
    { prints: TEXT },
  ),
  compiledCase('console', 'whole', { prints: TEXT }),
  compiledCase('console', 'refuses', { prints: '' }),
];
