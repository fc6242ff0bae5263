/** The kernel keeps nothing in TypeScript: what its classes have beside references to each other is listed here, with the reason. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SOURCE = join(import.meta.dirname, '..', 'src');

/** Fields that can change, or that hold collections. */
const KNOWN: Readonly<Record<string, string>> = {
  'memory.ts #work':
    'the work of the function that runs, charged when it returns: no two of them and no snapshot see it',
  'memory.ts #due': 'the same',
  'memory.ts #payer': 'the same',
  'accounting.ts #counts': 'derived from the table `usage`: restored()',
  'accounting.ts #running': 'derived from the kernel page and the CPU: restored()',
  'accounting.ts #instructions': 'derived from the table `entered`: restored()',
  'accounting.ts #cycles': 'derived from the table `entered`: restored()',
  'causes.ts #watched': 'what people are told: of what a snapshot brings, only numbers are known: restored()',
  'causes.ts #failure': 'from one event to the next, of one instruction',
  'filters.ts #set': 'derived from the tables of filters: restored()',
  'names.ts #names': 'labels of the host, which go through the snapshot',
  'names.ts #read': 'those that a snapshot has brought, until its memory is in place',
  'natives.ts #environments': 'host objects: with functions in it no machine is saved',
  'capabilities.ts #generations': 'parts that have registered when the kernel was made',
  'capabilities.ts #breaking': 'parts that have registered when the kernel was made',
  'disk.ts #finishers': 'parts that have registered when the kernel was made',
  'environments.ts resources': 'parts that have registered when the kernel was made',
  'extents.ts #begun': 'parts that have registered when the kernel was made',
  'extents.ts #ended': 'parts that have registered when the kernel was made',
  'extents.ts costOfCached': 'a part that has registered when the kernel was made',
  'extents.ts writing': 'a part that has registered when the kernel was made',
  'frames.ts reclaim': 'a part that has registered when the kernel was made',
  'frames.ts isReserved': 'a part that has registered when the kernel was made',
  'frames.ts arrived': 'a part that has registered when the kernel was made',
  'saved.ts #derived': 'the parts that derive something',
  'kernel-image.ts image': 'the same for every machine',
  'saved.ts made': 'the hash of that image, made once',
};

/** `file field` of every field that is not read-only, or is a collection, and of every variable of a module. */
function changeable(file: string): string[] {
  const lines = readFileSync(join(SOURCE, file), 'utf8').split('\n');
  const found: string[] = [];
  let inClass = false;
  for (const line of lines) {
    if (/^(export )?(abstract )?class /.test(line)) inClass = true;
    if (line.startsWith('}')) inClass = false;
    const variable = /^let (\w+)/.exec(line);
    if (variable !== null) found.push(`${file} ${variable[1] ?? ''}`);
    const field = /^ {2}(?:static )?(readonly )?(#?\w+)(?:[!?])?(?::| =)(.*)/.exec(line);
    if (!inClass || field === null || /^ {2}(get|set|return|case|default)\b/.test(line)) continue;
    const [, isReadonly, name = '', rest = ''] = field;
    if (isReadonly === undefined || /Map\b|Set\b|\[\]|Array|\{/.test(rest)) found.push(`${file} ${name}`);
  }
  return found;
}

test('every field that can change is known, and why it may', () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const found = files.flatMap((file) => changeable(file));
  expect(found.sort()).toEqual(Object.keys(KNOWN).sort());
});
