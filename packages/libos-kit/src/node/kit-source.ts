/** The kit's AssemblyScript sources, where there are files. */
import { readFileSync } from 'node:fs';

const FOLDER = '@exokernel/libos-kit/assembly/';
const ASSEMBLY = new URL('../../assembly/', import.meta.url);

/**
 * The text of a file for the compiler, as `compileAssemblyScript` asks for it: what is imported as `@exokernel/libos-kit/assembly/NAME`, wherever the
 * package is installed. Nothing for other files.
 */
export function kitSource(file: string): string | undefined {
  const at = file.lastIndexOf(FOLDER);
  const name = file.slice(at + FOLDER.length);
  if (at < 0 || !/^[\w/-]+\.ts$/.test(name)) return undefined;
  try {
    return readFileSync(new URL(name, ASSEMBLY), 'utf8');
  } catch {
    return undefined;
  }
}
