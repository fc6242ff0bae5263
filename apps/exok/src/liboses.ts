/** The library operating systems that programs are built for and run on, by name. */
import { batch } from '@exokernel/batch';
import { exos } from '@exokernel/exos';
import { LibosError, type InterfaceName, type LinkingLibOs } from '@exokernel/libos-kit';
import { VcodeError } from '@exokernel/vcode';
import { WasmError } from '@exokernel/wasm';
import { UsageError } from './error.ts';

/** What one does not provide, `compose` and `build` refuse when they run. */
type AnyLibos = LinkingLibOs<InterfaceName>;

const LIBOSES: readonly AnyLibos[] = [batch as unknown as AnyLibos, exos];

/** The one of this name. Throws `UsageError`. */
export function libosOf(name: string): AnyLibos {
  const libos = LIBOSES.find((one) => one.name === name);
  const names = LIBOSES.map((one) => one.name).join(', ');
  if (libos === undefined) throw new UsageError(`no library operating system ${name}: use ${names}`);
  return libos;
}

/** What is refused of a program is the user's. Throws `UsageError`. */
export function orNoProgram<T>(file: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const isRefusal = [LibosError, VcodeError, WasmError].some((one) => error instanceof one);
    throw isRefusal ? new UsageError(`${file}: ${(error as Error).message}`) : error;
  }
}
