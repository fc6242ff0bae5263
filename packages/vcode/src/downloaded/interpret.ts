/** Runs a program by its definition: the interpreter of modules over byte arrays. Slow; the compiled forms must equal it. */
import { moduleOf, RUN } from '../from-program/translate.ts';
import { RETURNED } from '../ir/abort.ts';
import { VcodeError } from '../program/error.ts';
import { LIMITS, type Program } from '../program/ir.ts';
import { Interpreter } from '../run/interpreter.ts';
import { compiledOf } from './mips.ts';

/** What a run gets: fuel (0 to 2^31 - 1), one byte array per region, one u32 per parameter. */
export interface RunInput {
  readonly fuel: number;
  readonly regions: readonly Uint8Array[];
  readonly parameters?: readonly number[];
}

/** What a run gives: the value (0 after an abort), the status (0, or an abort code) and the fuel that is left. */
export interface RunResult {
  readonly value: number;
  readonly status: number;
  readonly fuel: number;
}

const INTERPRETERS = new WeakMap<Program, Interpreter>();

/**
 * Runs a program. Regions must not share bytes unless the same overlap is bound for every form that is compared. Throws `VcodeError`
 * `malformed` or `limit`; `argument` for an input that does not fit the program.
 */
export function interpret(program: Program, input: RunInput): RunResult {
  const { fuel, regions, parameters = [] } = input;
  const interpreter = interpreterOf(program);
  if (regions.length !== program.regions.length || parameters.length !== program.parameters.length) {
    throw new VcodeError(
      'argument',
      `${program.name} takes ${program.regions.length} regions and ${program.parameters.length} parameters`,
    );
  }
  if (!Number.isInteger(fuel) || fuel < 0 || fuel > LIMITS.fuel) {
    throw new VcodeError('argument', `fuel is ${fuel}, must be 0 to 2^31 - 1`, { fuel });
  }
  interpreter.bind(regions);
  const { values, status, fuel: left } = interpreter.call(RUN, parameters, { fuel });
  return { value: status === RETURNED ? Number(values[0]) : 0, status, fuel: left };
}

function interpreterOf(program: Program): Interpreter {
  let interpreter = INTERPRETERS.get(program);
  if (interpreter === undefined) {
    const module = moduleOf(program);
    interpreter = new Interpreter(module, { costs: compiledOf(program).costs, frames: [] }, {});
    INTERPRETERS.set(program, interpreter);
  }
  return interpreter;
}
