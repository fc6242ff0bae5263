/** For tests of the key-value log: a machine with it, and a client at the other end of the wire. */
import { join } from 'node:path';
import { compiledLibOs } from '@exokernel/libos-kit';
import { compileLibrary, diagnosticText } from '@exokernel/libos-kit/node';
import { Wire } from '../../../packages/hardware/src/index.ts';
import type { CutDisk } from '../../../packages/libos-kit/test/log-support.ts';
import { boot, bystander, BystanderWatch, peer, type Booted, type Peer } from '../../../packages/testkit/src/index.ts';

export const OWN = { ip: 0x0a000001, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 1), netmask: 0xffffff00 };
export const PEER = { ip: 0x0a000002, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 2), netmask: 0xffffff00, seed: 1 };
export const PORT = 7000;
/** The client's port. */
export const CLIENT = 5000;
export const GET = 1;
export const PUT = 2;
export const BLOCKS = 128;

export type KvLibOs = ReturnType<typeof compiledLibOs<never>>;

/** The log, compiled. */
export async function kvLibOs(): Promise<KvLibOs> {
  const { library, diagnostics } = await compileLibrary(join(import.meta.dirname, '../programs/kv.ts'));
  if (library === undefined) throw new Error(diagnostics.map(diagnosticText).join('\n'));
  return compiledLibOs([], library);
}

export interface Reply {
  readonly status: number;
  readonly value: string;
}

export interface World extends Booted {
  readonly neighbour: BystanderWatch;
  readonly host: Peer;
  readonly wire: Wire;
  /** Asks, and again each second until there is a reply; nothing if there is none in time. A number is that of an earlier request, asked again. */
  readonly ask: (operation: number, key: string, value?: string, number?: number) => Reply | undefined;
  /** The number of the last request. */
  readonly asked: () => number;
}

export interface WorldOptions {
  readonly firstNumber?: number;
  readonly blocks?: number;
  readonly ramBytes?: number;
  /** From now on no answer matters. */
  readonly isOver?: () => boolean;
}

/** The bytes of a request. */
export function requestBytes(number: number, operation: number, key: string, value = ''): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const [name, bytes] = [encoder.encode(key), encoder.encode(value)];
  const request = new Uint8Array(8 + name.length + bytes.length);
  const view = new DataView(request.buffer);
  view.setUint32(0, number, true);
  view.setUint8(4, operation);
  view.setUint8(5, name.length);
  view.setUint16(6, bytes.length, true);
  request.set(name, 8);
  request.set(bytes, 8 + name.length);
  return request;
}

/** What a reply to the request of a number says; nothing for a reply to another. */
export function replyOf(data: Uint8Array, number: number): Reply | undefined {
  const reply = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 8 || reply.getUint32(0, true) !== number) return undefined;
  return { status: reply.getInt32(4, true), value: new TextDecoder().decode(data.subarray(8)) };
}

/** A machine with the log, and a host at the other end of the wire. */
export function world(os: KvLibOs, disk: CutDisk, options: WorldOptions = {}): World {
  const { firstNumber = 1, blocks = BLOCKS, ramBytes, isOver = () => false } = options;
  const wire = new Wire();
  const host = peer(wire, PEER);
  const image = os.alone({ station: OWN, extent: { start: 0, blocks } });
  const memory = ramBytes === undefined ? {} : { ramBytes };
  const booted = boot([image], { lance: { mac: OWN.mac, wire }, disk: { store: disk }, ...memory });
  const watch = new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
  const socket = host.stack.udp.bind(CLIENT);
  // Until it listens: the controller hears nothing before.
  booted.runUntil(isOver, 0.7);
  let last = firstNumber;
  const ask = (operation: number, key: string, value = '', number = (last += 1)): Reply | undefined => {
    const request = requestBytes(number, operation, key, value);
    for (let attempt = 0; attempt < 3 && !isOver(); attempt += 1) {
      socket.send(OWN.ip, PORT, request);
      host.flush();
      let reply: Reply | undefined;
      booted.runUntil(() => {
        watch.look();
        for (let got = socket.receive(); got !== undefined; got = socket.receive()) reply ??= replyOf(got.data, number);
        return reply !== undefined || isOver() || booted.aegis.environment(0).status === 'dead';
      }, 1);
      const { status, cause } = booted.aegis.environment(0);
      if (status === 'dead') throw new Error(`the log ${cause?.text ?? 'is dead'}`);
      if (reply !== undefined) return reply;
    }
    return undefined;
  };
  return { ...booted, neighbour: watch, host, wire, ask, asked: () => last };
}

/** A value that says which it is, of up to 900 bytes. */
export const valueOf = (i: number): string => `value ${i} `.repeat(1 + (i % 90));
