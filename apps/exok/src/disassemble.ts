/** Machine code as listings: what `exok kernel`, `kit`, `filter` and `handler` print. */
import { readFileSync } from 'node:fs';
import { EXCEPTIONS } from '@exokernel/abi';
import { filterListing, handlerListing, kernelListing } from '@exokernel/aegis';
import { AshError, encodeHandler, remoteIncrement, udpEcho } from '@exokernel/ash';
import { DpfError, arp, encodeFilter, etherType, icmpEcho, tcp, udp, type Atom } from '@exokernel/dpf';
import { cycleColumn } from '@exokernel/hardware';
import { assembleRuntime, runtimeListing } from '@exokernel/libos-kit';
import { VcodeError } from '@exokernel/vcode';
import { UsageError } from './error.ts';

/** The listing `name` of what the user named. Throws `UsageError`. */
export function listing(name: ListingName, operands: readonly string[]): readonly string[] {
  try {
    return LISTINGS[name](operands);
  } catch (error) {
    if (error instanceof DpfError || error instanceof AshError || error instanceof VcodeError) {
      throw new UsageError(error.message);
    }
    throw error;
  }
}

export type ListingName = 'kernel' | 'kit' | 'filter' | 'handler';

const LISTINGS: Readonly<Record<ListingName, (operands: readonly string[]) => readonly string[]>> = {
  kernel: ([symbol]) => found(kernelListing(symbol), 'the kernel', symbol),
  kit: ([symbol]) => found(kitListing(symbol), 'the kit', symbol),
  filter: (filters) => filterListing(filters.map((text) => encodeFilter(filterOf(text)))),
  handler: ([name = '']) => handlerListing(handlerBytes(name)),
};

function found(lines: readonly string[], what: string, symbol: string | undefined): readonly string[] {
  if (lines.length > 0) return lines;
  throw new UsageError(`${what} has no symbol ${symbol ?? ''}: without one all are printed`);
}

function kitListing(symbol: string | undefined): readonly string[] {
  const { tlbl, tlbs, mod } = EXCEPTIONS;
  const runtime = assembleRuntime({ resumes: [tlbl, tlbs, mod], emit: () => undefined });
  const { heading, column } = cycleColumn(runtime);
  const lines = runtimeListing(runtime, symbol, column);
  return lines.length === 0 ? [] : [heading, ...lines];
}

/** The protocols that a filter may name, with the fields that each may have. */
const PROTOCOLS: Readonly<
  Record<string, { readonly fields: readonly string[]; readonly atoms: (fields: Fields) => readonly Atom[] }>
> = {
  udp: { fields: ['dstPort', 'srcPort', 'dstIp', 'srcIp'], atoms: (fields) => udp(fields) },
  tcp: { fields: ['dstPort', 'srcPort', 'dstIp', 'srcIp'], atoms: (fields) => tcp(fields) },
  icmpEcho: { fields: ['dstIp', 'srcIp'], atoms: (fields) => icmpEcho(fields) },
  arp: { fields: ['operation', 'targetIp'], atoms: (fields) => arp(fields) },
  etherType: { fields: ['type'], atoms: ({ type = 0 }) => etherType(type) },
};

interface Fields {
  dstPort?: number;
  srcPort?: number;
  operation?: number;
  type?: number;
  dstIp?: string;
  srcIp?: string;
  targetIp?: string;
}

/** The filter `udp dstPort=53 dstIp=10.0.0.1`. */
function filterOf(text: string): readonly Atom[] {
  const [name = '', ...parts] = text.trim().split(/\s+/);
  const protocol = Object.hasOwn(PROTOCOLS, name) ? PROTOCOLS[name] : undefined;
  if (protocol === undefined) throw new UsageError(`no protocol ${name}: use ${Object.keys(PROTOCOLS).join(', ')}`);
  const fields: Record<string, string | number> = {};
  for (const part of parts) {
    const [, field = '', value = ''] = /^(\w+)=(.+)$/.exec(part) ?? [];
    if (!protocol.fields.includes(field)) {
      throw new UsageError(`${part}: ${name} has ${protocol.fields.map((one) => `${one}=…`).join(' ')}`);
    }
    fields[field] = field.endsWith('Ip') ? value : number(part, value);
  }
  if (name === 'etherType' && parts.length === 0) throw new UsageError('etherType: which type=…');
  return protocol.atoms(fields);
}

function number(part: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 0xffff) throw new UsageError(`${part}: use 0 to 65535`);
  return value;
}

/** The port that the handlers of the ash package answer here. */
const PORT = 7;

function handlerBytes(name: string): Uint8Array {
  if (name === 'udpEcho') return encodeHandler(udpEcho({ port: PORT }));
  if (name === 'remoteIncrement') return encodeHandler(remoteIncrement({ port: PORT, counters: 16 }));
  try {
    return readFileSync(name);
  } catch {
    throw new UsageError(`${name} is neither udpEcho nor remoteIncrement nor a file that can be read`);
  }
}
