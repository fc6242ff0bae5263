/**
 * The interpreter: the meaning of a module of the checked profile. Slow and plain on purpose; the back ends must equal it.
 *
 * It tests every access by the definition, and takes only what sections cost and frames take from the MIPS back end.
 */
import { ABORT_BOUNDS, ABORT_DIVIDE, ABORT_FUEL, ABORT_STACK, ABORT_TABLE, RETURNED } from '../ir/abort.ts';
import type { Expression, Func, Module, Place } from '../ir/ir.ts';
import { numberSections } from '../ir/sections.ts';
import { BINARY } from '../ir/ir.ts';
import { VcodeError } from '../program/error.ts';
import { prepareChecked } from '../ir/prepare.ts';
import { budgetsOf, type Budgets } from '../r3000/compile.ts';
import { flatten, type Step } from './flat.ts';
import {
  checkCall,
  initialMemory,
  mostBytes,
  PAGE,
  STACK_BYTES,
  type Allowance,
  type HostFunction,
  type ModuleInstance,
  type InstanceOptions,
  type Outcome,
  type Value,
} from './instance.ts';
import { operateLongs, operateOne, operateWords } from '../ir/operate.ts';

/** An instance that is interpreted. Throws `VcodeError` for a module that does not compile, or data outside its memory. */
export function interpretModule(module: Module, options: InstanceOptions = {}): ModuleInstance {
  const interpreter = new Interpreter(module, budgetsOf(module), options);
  if (module.start !== undefined) interpreter.start(module.start);
  return interpreter;
}

class Abort extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`abort ${code}`);
    this.code = code;
  }
}

interface Frame {
  readonly func: number;
  readonly steps: readonly Step[];
  readonly locals: Value[];
  /** Locals of the caller that get the results. */
  readonly results: readonly number[];
  next: number;
}

export class Interpreter implements ModuleInstance {
  readonly #module: Module;
  readonly #steps: readonly (readonly Step[])[];
  readonly #costs: readonly number[];
  readonly #frames: readonly number[];
  readonly #hosts: readonly (HostFunction | undefined)[];
  #regions: readonly Uint8Array[];
  readonly #globals: Value[];
  /** Of region 0, which may get longer if it is the memory. */
  #length: number;
  #fuel = 0;
  #stack = 0;
  #locals: Value[] = [];

  constructor(module: Module, budgets: Budgets, options: InstanceOptions) {
    const prepared = prepareChecked(module);
    const { starts, loops } = numberSections(prepared);
    this.#module = prepared;
    this.#steps = prepared.functions.map((func, i) => flatten(func, starts[i] ?? 0, loops));
    ({ costs: this.#costs, frames: this.#frames } = budgets);
    this.#regions = [new Uint8Array(mostBytes(module, options))];
    this.#length = (module.memory?.pages ?? 0) * PAGE;
    initialMemory(module, this.#bytes(0));
    this.#globals = module.globals.map(({ initial }) => initial);
    this.#hosts = module.imports.map((one) => options.imports?.[`${one.module}.${one.name}`]);
  }

  /** Binds the regions of a module that has no memory of its own, for the runs that follow, which may change them. */
  bind(regions: readonly Uint8Array[]): void {
    this.#regions = regions;
    this.#length = regions[0]?.length ?? 0;
  }

  memory(): Uint8Array {
    return this.#bytes(0).subarray(0, this.#length);
  }

  global(index: number): Value {
    return this.#globals[index] ?? 0;
  }

  call(name: string, values: readonly Value[], allowance: Allowance): Outcome {
    return this.#outcome(checkCall(this.#module, name, values, allowance), values, allowance);
  }

  start(index: number): void {
    const { status } = this.#outcome(index, [], { fuel: 0x7fffffff });
    if (status !== RETURNED) throw new VcodeError('argument', `the start function aborts with ${status}`, { status });
  }

  #outcome(index: number, values: readonly Value[], { fuel, stack = STACK_BYTES }: Allowance): Outcome {
    this.#fuel = fuel;
    this.#stack = stack;
    try {
      return { values: this.#run(index, values), status: RETURNED, fuel: this.#fuel };
    } catch (abort) {
      if (!(abort instanceof Abort)) throw abort;
      return { values: [], status: abort.code, fuel: this.#fuel };
    }
  }

  #enter(func: number, values: readonly Value[], results: readonly number[]): Frame {
    const { parameters, locals } = this.#module.functions[func] as Func;
    const bytes = this.#frames[func] ?? 0;
    if (bytes > this.#stack) throw new Abort(ABORT_STACK);
    this.#stack -= bytes;
    const all = [...parameters, ...locals].map(({ type }, i): Value => values[i] ?? (type === 'i64' ? 0n : 0));
    return { func, steps: this.#steps[func] ?? [], locals: all, results, next: 0 };
  }

  #run(index: number, values: readonly Value[]): readonly Value[] {
    const callers: Frame[] = [];
    let frame = this.#enter(index, values, []);
    for (;;) {
      this.#locals = frame.locals;
      const step = frame.steps[frame.next] as Step;
      frame.next += 1;
      switch (step.kind) {
        case 'jump':
          frame.next = step.to;
          break;
        case 'unless':
          if (this.#word(step.condition) === 0) frame.next = step.to;
          break;
        case 'choose':
          frame.next = step.cases.get(this.#word(step.value)) ?? step.otherwise;
          break;
        case 'charge':
          this.#charge(step.section);
          break;
        case 'call':
          callers.push(frame);
          frame = this.#enter(step.function, this.#all(step.values), step.results);
          break;
        case 'callIndirect': {
          const passed = this.#all(step.values);
          const called = this.#module.table[this.#word(step.slot)] ?? -1;
          if (this.#module.functions[called]?.signature !== step.signature) throw new Abort(ABORT_TABLE);
          callers.push(frame);
          frame = this.#enter(called, passed, step.results);
          break;
        }
        case 'return': {
          const results = this.#all(step.values);
          this.#stack += this.#frames[frame.func] ?? 0;
          const caller = callers.pop();
          if (caller === undefined) return results;
          frame.results.forEach((local, i) => {
            caller.locals[local] = results[i] ?? 0;
          });
          frame = caller;
          break;
        }
        default:
          this.#effect(step);
      }
    }
  }

  #charge(section: number): void {
    const cost = this.#costs[section] ?? 0;
    if (this.#fuel < cost) {
      this.#fuel = 0;
      throw new Abort(ABORT_FUEL);
    }
    this.#fuel -= cost;
  }

  #effect(
    step: Exclude<Step, { kind: 'jump' | 'unless' | 'choose' | 'charge' | 'call' | 'callIndirect' | 'return' }>,
  ): void {
    switch (step.kind) {
      case 'set':
        this.#locals[step.local] = this.#evaluate(step.value);
        return;
      case 'setGlobal':
        this.#globals[step.global] = this.#evaluate(step.value);
        return;
      case 'store':
        this.#store(step);
        return;
      case 'abort':
        throw new Abort(step.code);
      case 'callImport': {
        const passed = this.#all(step.values);
        const results = this.#host(step.import)(...passed);
        step.results.forEach((local, i) => {
          this.#locals[local] = results[i] ?? 0;
        });
        return;
      }
      case 'grow': {
        const pages = this.#word(step.pages);
        const before = this.#length / PAGE;
        const isTooMuch = pages * PAGE > this.#bytes(0).length - this.#length;
        if (!isTooMuch) this.#length += pages * PAGE;
        this.#locals[step.result] = isTooMuch ? 0xffffffff : before;
      }
    }
  }

  #host(index: number): HostFunction {
    const host = this.#hosts[index];
    if (host !== undefined) return host;
    const { module, name } = this.#module.imports[index] ?? { module: '', name: '' };
    throw new VcodeError('argument', `the import ${module}.${name} is not given`, { module, name });
  }

  #store(step: Extract<Step, { kind: 'store' }>): void {
    const index = this.#word(step.index);
    const value = BigInt(this.#evaluate(step.value));
    const at = this.#access(step, index);
    const bytes = this.#bytes(step.region);
    for (let i = 0; i < step.size; i += 1) {
      const shift = 8 * (step.endian === 'little' ? i : step.size - 1 - i);
      bytes[at + i] = Number((value >> BigInt(shift)) & 0xffn);
    }
  }

  #all(values: readonly Expression[]): Value[] {
    return values.map((value) => this.#evaluate(value));
  }

  #word(expression: Expression): number {
    return Number(this.#evaluate(expression));
  }

  #evaluate(expression: Expression): Value {
    switch (expression.kind) {
      case 'const':
      case 'const64':
        return expression.value;
      case 'local':
        return this.#locals[expression.local] ?? 0;
      case 'global':
        return this.#globals[expression.global] ?? 0;
      case 'unary':
        return operateOne(expression.operator, this.#evaluate(expression.operand));
      case 'binary':
        return this.#binary(expression);
      case 'select': {
        const then = this.#evaluate(expression.then);
        const otherwise = this.#evaluate(expression.otherwise);
        return this.#word(expression.condition) === 0 ? otherwise : then;
      }
      case 'load':
        return this.#load(expression);
      case 'length':
        return this.#lengthOf(expression.region);
      case 'fits':
        return this.#word(expression.index) + expression.bytes <= this.#lengthOf(expression.region) ? 1 : 0;
    }
  }

  #binary({ operator, left, right }: Extract<Expression, { kind: 'binary' }>): Value {
    const a = this.#evaluate(left);
    const b = this.#evaluate(right);
    if (BINARY[operator][0] === 'i64') return operateLongs(operator, BigInt(a), BigInt(b));
    const isDivision = operator === 'divu' || operator === 'divs' || operator === 'remu' || operator === 'rems';
    if (isDivision && b === 0) throw new Abort(ABORT_DIVIDE);
    if (operator === 'divs' && a === 0x80000000 && b === 0xffffffff) throw new Abort(ABORT_DIVIDE);
    return operateWords(operator, Number(a), Number(b));
  }

  #load(load: Extract<Expression, { kind: 'load' }>): Value {
    const at = this.#access(load, this.#word(load.index));
    const bytes = this.#bytes(load.region);
    let value = 0n;
    for (let i = 0; i < load.size; i += 1) {
      const shift = 8 * (load.endian === 'little' ? i : load.size - 1 - i);
      value |= BigInt(bytes[at + i] ?? 0) << BigInt(shift);
    }
    if (load.size === 8) return value;
    return Number(load.signed ? BigInt.asUintN(32, BigInt.asIntN(8 * load.size, value)) : value);
  }

  #access(place: Place, index: number): number {
    const at = index + place.displacement;
    if (at + place.size > this.#lengthOf(place.region)) throw new Abort(ABORT_BOUNDS);
    return at;
  }

  #bytes(region: number): Uint8Array {
    return this.#regions[region] as Uint8Array;
  }

  #lengthOf(region: number): number {
    return region === 0 ? this.#length : this.#bytes(region).length;
  }
}
