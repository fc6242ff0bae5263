/**
 * Comparisons of arithmetic. Every value lies in a word of memory. A field is read only where its protocol's test holds; of
 * an operator's two operands only the left one's protocol is tested.
 */
import { BPF } from '../bpf/instruction.ts';
import { and, not, type Statement, type Test } from './blocks.ts';
import { IPV6_HEADER, statement, type Generator } from './generator.ts';
import { carries, ETHER } from './link-tests.ts';
import { isFirstFragment } from './ports.ts';
import { ipv4Protocol, ipv6Protocol, PROTOCOLS } from './protocols.ts';
import { refuse } from './refusal.ts';
import type { Arithmetic, Operator, Relation, Step } from './syntax.ts';

/** A value: how to compute it, where it then lies, and the tests without which it means nothing. */
interface Value {
  readonly statements: Statement[];
  readonly register: number;
  readonly test: Test | null;
  /** The constant with which its computation begins: libpcap looks at that when it refuses to divide by 0. */
  readonly begins: number | null;
}

const OPERATORS: Readonly<Record<Operator, number>> = {
  '+': BPF.ADD_X,
  '-': BPF.SUB_X,
  '*': BPF.MUL_X,
  '/': BPF.DIV_X,
  '%': BPF.MOD_X,
  '&': BPF.AND_X,
  '|': BPF.OR_X,
  '^': BPF.XOR_X,
  '<<': BPF.LSH_X,
  '>>': BPF.RSH_X,
};
const INDEXED: Readonly<Record<number, number>> = { 1: BPF.LDB_IND, 2: BPF.LDH_IND, 4: BPF.LD_IND };

const joined = (first: Test | null, second: Test | null): Test | null =>
  first === null || second === null ? (first ?? second) : and(first, second);

/** Where the fields of a protocol are counted from: the variable part in X, the constant part, the protocol's test. */
interface Origin {
  readonly variable: Statement[];
  readonly constant: number;
  readonly test: Test | null;
}

/** Protocols that stand in the payload, and whose fields are counted from there. */
const IN_PAYLOAD = ['ip', 'arp', 'rarp', 'atalk', 'decnet', 'sca', 'lat', 'moprc', 'mopdl', 'ip6'];
/** Protocols behind the IPv4 header. */
const BEHIND_IPV4 = ['sctp', 'tcp', 'udp', 'icmp', 'igmp', 'igrp', 'pim', 'vrrp', 'carp'];

function originOf(g: Generator, protocol: string): Origin {
  const { header, payload } = g.layer;
  const constant = g.networkConstant;
  const { link = 0, number = 0 } = PROTOCOLS.get(protocol) ?? {};
  if (protocol === 'link') return { variable: g.variable(header), constant: header.constant, test: null };
  if (IN_PAYLOAD.includes(protocol)) return { variable: g.variable(payload), constant, test: carries(g, link) };
  if (BEHIND_IPV4.includes(protocol)) {
    const test = and(and(carries(g, ETHER.IP), ipv4Protocol(g, number)), isFirstFragment(g));
    return { variable: g.ipv4HeaderLength(), constant, test };
  }
  if (protocol === 'icmp6') {
    const test = and(carries(g, ETHER.IPV6), ipv6Protocol(g, number));
    return { variable: g.variable(payload), constant: constant + IPV6_HEADER, test };
  }
  return protocol === 'radio' ? g.unsupported('"radio"') : g.misfit(protocol, 'an index');
}

function load(g: Generator, protocol: string, size: number, index: Value): Value {
  const register = g.allocate();
  g.release(index.register);
  const { variable, constant, test } = originOf(g, protocol);
  const { statements } = index;
  if (variable.length === 0) statements.push(statement(BPF.LDX_MEM, index.register));
  else statements.push(...variable, statement(BPF.LD_MEM, index.register), statement(BPF.ADD_X), statement(BPF.TAX));
  statements.push(statement(INDEXED[size] ?? 0, constant), statement(BPF.ST, register));
  return { ...index, register, test: joined(index.test, test) };
}

function calculate(g: Generator, operator: Operator, left: Value, right: Value): Value {
  if ((operator === '/' || operator === '%') && right.begins === 0) g.invalid('it divides by 0');
  if ((operator === '<<' || operator === '>>') && (right.begins ?? 0) > 31) g.invalid('it shifts by more than 31 bits');
  const { statements } = left;
  for (const one of right.statements) statements.push(one);
  statements.push(
    statement(BPF.LDX_MEM, right.register),
    statement(BPF.LD_MEM, left.register),
    statement(OPERATORS[operator]),
  );
  g.release(left.register);
  g.release(right.register);
  const register = g.allocate();
  statements.push(statement(BPF.ST, register));
  return { ...left, register };
}

function leaf(g: Generator, code: number, k: number): Value {
  const register = g.allocate();
  const statements = [statement(code, k), statement(BPF.ST, register)];
  return { statements, register, test: null, begins: code === BPF.LD_IMM ? k : null };
}

function step(g: Generator, stack: Value[], one: Step): Value {
  g.where = one.at;
  const pop = (): Value => stack.pop() ?? refuse('syntax', one.at, 'an operand is missing');
  switch (one.kind) {
    case 'number':
      return leaf(g, BPF.LD_IMM, one.value);
    case 'length':
      return leaf(g, BPF.LD_LEN, 0);
    case 'load':
      return load(g, one.protocol, one.size, pop());
    case 'negate': {
      const value = pop();
      const { statements, register } = value;
      statements.push(statement(BPF.LD_MEM, register), statement(BPF.NEG), statement(BPF.ST, register));
      return value;
    }
    case 'operator': {
      const right = pop();
      return calculate(g, one.operator, pop(), right);
    }
  }
}

function valueOf(g: Generator, arithmetic: Arithmetic): Value {
  const stack: Value[] = [];
  for (const one of arithmetic) stack.push(step(g, stack, one));
  return stack.pop() ?? g.invalid('it has no value');
}

const CODES: Readonly<Record<Relation, readonly [code: number, isContrary: boolean]>> = {
  '=': [BPF.JEQ_X, false],
  '!=': [BPF.JEQ_X, true],
  '>': [BPF.JGT_X, false],
  '<=': [BPF.JGT_X, true],
  '>=': [BPF.JGE_X, false],
  '<': [BPF.JGE_X, true],
};

/** A comparison of two values. */
export function relation(g: Generator, relation: Relation, left: Arithmetic, right: Arithmetic): Test {
  const first = valueOf(g, left);
  const second = valueOf(g, right);
  const statements = first.statements;
  for (const one of second.statements) statements.push(one);
  statements.push(statement(BPF.LDX_MEM, second.register), statement(BPF.LD_MEM, first.register));
  g.release(first.register);
  g.release(second.register);
  const [code, isContrary] = CODES[relation];
  const plain = g.blocks.test(statements, statement(code));
  const compared = isContrary ? not(plain) : plain;
  const withFirst = first.test === null ? compared : and(first.test, compared);
  return second.test === null ? withFirst : and(second.test, withFirst);
}
