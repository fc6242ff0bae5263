/**
 * A printer for programs, for people: `formatProgram` gives one line per statement. Nothing parses this text.
 */
import type { BinaryOperator, Body, Expression, Place, Program, Statement } from './ir.ts';
import { validateProgram } from './validate.ts';

/* prettier-ignore */
const SIGNS: Record<BinaryOperator, string> = {
  add: '+', sub: '-', mul: '*', and: '&', or: '|', xor: '^', shl: '<<', shr: '>>>', sar: '>>', divu: '/', remu: '%',
  eq: '==', ne: '!=', ltu: '<', leu: '<=', lts: '<s', les: '<=s',
};

/** The program as text. Throws `VcodeError` `malformed` or `limit`. */
export function formatProgram(program: Program): string {
  validateProgram(program);
  const regions = program.regions.map(({ name, access, align, skew }) => {
    const promise = align === 1 ? '' : ` align ${align}${skew === 0 ? '' : ` skew ${skew}`}`;
    return `${name}: ${access}${promise}`;
  });
  const printer = new Printer(program);
  printer.body(program.body, 1);
  return [`program ${program.name}(${[...regions, ...program.parameters].join(', ')})`, ...printer.lines].join('\n');
}

class Printer {
  readonly lines: string[] = [];
  readonly #program: Program;
  readonly #names: readonly string[];

  constructor(program: Program) {
    this.#program = program;
    this.#names = [...program.parameters, ...program.locals];
  }

  body(body: Body, depth: number): void {
    for (const statement of body) this.#statement(statement, depth);
  }

  #line(depth: number, text: string): void {
    this.lines.push('  '.repeat(depth) + text);
  }

  #statement(statement: Statement, depth: number): void {
    switch (statement.kind) {
      case 'set':
        this.#line(depth, `${this.#local(statement.local)} = ${this.#show(statement.value)}`);
        return;
      case 'store':
        this.#line(depth, `${this.#place(statement)} = ${this.#show(statement.value)}`);
        return;
      case 'if':
        this.#line(depth, `if ${this.#show(statement.condition)}`);
        this.body(statement.then, depth + 1);
        if (statement.otherwise.length === 0) return;
        this.#line(depth, 'else');
        this.body(statement.otherwise, depth + 1);
        return;
      case 'for':
        this.#line(depth, `for ${this.#local(statement.counter)} < ${statement.count}`);
        this.body(statement.body, depth + 1);
        return;
      case 'while':
        this.#line(depth, `while ${this.#show(statement.condition)}`);
        this.body(statement.body, depth + 1);
        return;
      case 'switch':
        this.#line(depth, `switch ${this.#show(statement.value)}`);
        for (const { value, body } of statement.cases) {
          this.#line(depth + 1, `case ${number(value)}`);
          this.body(body, depth + 2);
        }
        if (statement.otherwise.length === 0) return;
        this.#line(depth + 1, 'default');
        this.body(statement.otherwise, depth + 2);
        return;
      case 'return':
        this.#line(depth, `return ${this.#show(statement.value)}`);
        return;
      case 'abort':
        this.#line(depth, `abort ${statement.code}`);
        return;
      case 'break':
      case 'continue':
        this.#line(depth, statement.kind);
    }
  }

  #show(expression: Expression): string {
    switch (expression.kind) {
      case 'const':
        return number(expression.value);
      case 'local':
        return this.#local(expression.local);
      case 'unary':
        return `${expression.operator}(${this.#show(expression.operand)})`;
      case 'binary':
        return `(${this.#show(expression.left)} ${SIGNS[expression.operator]} ${this.#show(expression.right)})`;
      case 'load':
        return this.#place(expression);
      case 'length':
        return `${this.#region(expression.region)}.length`;
      case 'fits':
        return `${this.#region(expression.region)}.fits(${this.#show(expression.index)}, ${expression.bytes})`;
    }
  }

  #place({ region, size, endian, index, displacement }: Place): string {
    const isConstant = index.kind === 'const' && index.value === 0;
    const at = isConstant ? `${displacement}` : `${this.#show(index)}${displacement === 0 ? '' : ` + ${displacement}`}`;
    return `${this.#region(region)}.${size === 1 ? 'u8' : `${endian === 'big' ? 'be' : 'le'}${8 * size}`}[${at}]`;
  }

  #local(local: number): string {
    const name = this.#names[local] ?? '';
    return name === '' || this.#names.indexOf(name) !== local ? `${name}#${local}` : name;
  }

  #region(region: number): string {
    return this.#program.regions[region]?.name ?? `region${region}`;
  }
}

function number(value: number): string {
  return value < 1024 ? `${value}` : `0x${value.toString(16)}`;
}
