/** For tests of the key-value log: a machine with it, and a client at the other end of the wire. */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ENV, PAGE_BYTES, type Image } from '@exokernel/abi';
import { compiledLibOs, UKIT } from '@exokernel/libos-kit';
import { compileLibrary, diagnosticText } from '@exokernel/libos-kit/node';
import { Wire, type DiskGeometry } from '../../../packages/hardware/src/index.ts';
import { image, KIT, type CutDisk } from '../../../packages/libos-kit/test/log-support.ts';
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

interface Reply {
  readonly status: number;
  readonly value: string;
}

/** Watches an environment that has nothing to do with the log. */
interface Watch {
  readonly look: () => void;
  /** What has happened to it; empty if nothing has. */
  readonly damage: () => string[];
}

export interface World extends Booted {
  readonly neighbour: Watch;
  readonly host: Peer;
  readonly wire: Wire;
  /** Asks, and again each second until there is a reply; nothing if there is none in time. A number is that of an earlier request, asked again. */
  readonly ask: (operation: number, key: string, value?: string, number?: number) => Reply | undefined;
  /** Sends a request once, and gives its number. */
  readonly send: (operation: number, key: string, value?: string, number?: number) => number;
  /** The reply to the request of a number, if it comes within so many seconds. Throws if the log ends meanwhile. */
  readonly reply: (number: number, seconds?: number) => Reply | undefined;
  /** The number of the last request. */
  readonly asked: () => number;
}

export interface WorldOptions {
  readonly firstNumber?: number;
  readonly blocks?: number;
  readonly ramBytes?: number;
  readonly geometry?: DiskGeometry;
  /** An environment beside the log that sleeps, in place of one that computes. */
  readonly sleeper?: Image;
  /** Called before anything runs. */
  readonly loaded?: (parts: Booted['aegis']['parts']) => void;
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
function replyOf(data: Uint8Array, number: number): Reply | undefined {
  const reply = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 8 || reply.getUint32(0, true) !== number) return undefined;
  return { status: reply.getInt32(4, true), value: new TextDecoder().decode(data.subarray(8)) };
}

/** A machine with the log, and a host at the other end of the wire. */
export function world(os: KvLibOs, disk: CutDisk, options: WorldOptions = {}): World {
  const { firstNumber = 1, blocks = BLOCKS, ramBytes, geometry, sleeper, loaded, isOver = () => false } = options;
  const wire = new Wire();
  const host = peer(wire, PEER);
  const log = os.alone({ station: OWN, extent: { start: 0, blocks } });
  const memory = ramBytes === undefined ? {} : { ramBytes };
  const drive = geometry === undefined ? { store: disk } : { store: disk, geometry };
  const booted = boot([log], { lance: { mac: OWN.mac, wire }, disk: drive, ...memory });
  loaded?.(booted.aegis.parts);
  const watch = sleeper === undefined ? computing(booted) : sleeping(booted, sleeper);
  const socket = host.stack.udp.bind(CLIENT);
  // Until it listens: the controller hears nothing before.
  booted.runUntil(isOver, 0.7);
  let last = firstNumber;
  const send = (operation: number, key: string, value = '', number = (last += 1)): number => {
    socket.send(OWN.ip, PORT, requestBytes(number, operation, key, value));
    host.flush();
    return number;
  };
  const reply = (number: number, seconds = 1): Reply | undefined => {
    let found: Reply | undefined;
    booted.runUntil(() => {
      watch.look();
      for (let got = socket.receive(); got !== undefined; got = socket.receive()) found ??= replyOf(got.data, number);
      return found !== undefined || isOver() || booted.aegis.environment(0).status === 'dead';
    }, seconds);
    const { status, cause } = booted.aegis.environment(0);
    if (status === 'dead') throw new Error(`the log ${cause?.text ?? 'is dead'}`);
    return found;
  };
  const ask = (operation: number, key: string, value = '', number = (last += 1)): Reply | undefined => {
    for (let attempt = 0; attempt < 3 && !isOver(); attempt += 1) {
      const found = reply(send(operation, key, value, number));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return { ...booted, neighbour: watch, host, wire, ask, send, reply, asked: () => last };
}

function computing({ aegis }: Booted): Watch {
  const watch = new BystanderWatch(aegis, aegis.load(bystander()));
  return {
    look: () => {
      watch.look();
    },
    damage: () => watch.damage(),
  };
}

/** Of one that does nothing but hold its frames, whose contents stay. */
function sleeping(booted: Booted, image: Image): Watch {
  const { aegis, machine } = booted;
  const env = aegis.load(image);
  booted.runUntil(() => booted.uWord(env, UKIT.libos) === 1);
  const uPage = (aegis.parts.memory.env(env, ENV.uPage) & 0x1fffffff) / PAGE_BYTES;
  const contents = (): string =>
    aegis.parts.frames
      .heldBy(env)
      .filter((ppn) => ppn !== uPage)
      .map((ppn) => `${ppn} ${crc32(machine.memory.read(ppn * PAGE_BYTES, new Uint8Array(PAGE_BYTES)))}`)
      .join();
  const before = contents();
  return {
    look: () => undefined,
    damage: () => {
      const { status, cause } = aegis.environment(env);
      if (status !== 'runnable') return [`the neighbour is ${status}: it ${cause?.text ?? 'has not ended'}`];
      return contents() === before ? [] : ['the frames of the neighbour are not what they were'];
    },
  };
}

/** One that sleeps, for `WorldOptions.sleeper`. */
export async function sleeperImage(): Promise<Image> {
  return await image(
    `
    import { clock_sleep } from '${KIT}/clock';
    import { store32 } from '${KIT}/kit';
    const words = memory.data(16384);
    export function main(): i32 {
      for (let i = 0; i < 16384; i += 4) store<u32>(words + i, i * 0x9e3779b1);
      store32(${UKIT.libos}, 1);
      for (;;) clock_sleep(0x100000);
      return 0;
    }`,
    {},
  );
}

/** A value that says which it is, of up to 900 bytes. */
export const valueOf = (i: number): string => `value ${i} `.repeat(1 + (i % 90));
