/** The key-value log: what its clients, power cuts and a kernel that wants frames back see of it. */
import { join } from 'node:path';
import { ERRORS } from '@exokernel/abi';
import { compiledLibOs } from '@exokernel/libos-kit';
import { compileLibrary, diagnosticText } from '@exokernel/libos-kit/node';
import { beforeAll, describe, expect, test } from 'vitest';
import { Wire } from '../../../packages/hardware/src/index.ts';
import { CutDisk, random } from '../../../packages/libos-kit/test/log-support.ts';
import {
  boot,
  bystander,
  BystanderWatch,
  checkInvariants,
  peer,
  type Booted,
} from '../../../packages/testkit/src/index.ts';

const OWN = { ip: 0x0a000001, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 1), netmask: 0xffffff00 };
const PEER = { ip: 0x0a000002, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 2), netmask: 0xffffff00, seed: 1 };
const PORT = 7000;
const GET = 1;
const PUT = 2;
const BLOCKS = 128;

let os: ReturnType<typeof compiledLibOs<never>>;
beforeAll(async () => {
  const { library, diagnostics } = await compileLibrary(join(import.meta.dirname, '../programs/kv.ts'));
  if (library === undefined) throw new Error(diagnostics.map(diagnosticText).join('\n'));
  os = compiledLibOs([], library);
}, 60_000);

interface Reply {
  readonly status: number;
  readonly value: string;
}

interface World extends Booted {
  readonly neighbour: BystanderWatch;
  /** Asks, and again each second until there is a reply; nothing if there is none in time. */
  readonly ask: (operation: number, key: string, value?: string) => Reply | undefined;
}

/** A machine with the log, and a host at the other end of the wire. */
function world(disk: CutDisk, firstNumber = 1): World {
  const wire = new Wire();
  const { stack, flush } = peer(wire, PEER);
  const image = os.alone({ station: OWN, extent: { start: 0, blocks: BLOCKS } });
  const booted = boot([image], { lance: { mac: OWN.mac, wire }, disk: { store: disk } });
  const watch = new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
  const socket = stack.udp.bind(5000);
  // Until it listens: the controller hears nothing before.
  booted.runUntil(() => false, 0.7);
  let number = firstNumber;
  const encoder = new TextEncoder();
  const ask = (operation: number, key: string, value = ''): Reply | undefined => {
    const [name, bytes] = [encoder.encode(key), encoder.encode(value)];
    const request = new Uint8Array(8 + name.length + bytes.length);
    const view = new DataView(request.buffer);
    view.setUint32(0, (number += 1), true);
    view.setUint8(4, operation);
    view.setUint8(5, name.length);
    view.setUint16(6, bytes.length, true);
    request.set(name, 8);
    request.set(bytes, 8 + name.length);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      socket.send(OWN.ip, PORT, request);
      flush();
      let got = socket.receive();
      booted.runUntil(() => {
        watch.look();
        return (got ??= socket.receive()) !== undefined || booted.aegis.environment(0).status === 'dead';
      }, 1);
      const { status, cause } = booted.aegis.environment(0);
      if (status === 'dead') throw new Error(`the log ${cause?.text ?? 'is dead'}`);
      if (got === undefined) continue;
      const reply = new DataView(got.data.buffer, got.data.byteOffset);
      if (reply.getUint32(0, true) !== number) continue;
      return { status: reply.getInt32(4, true), value: new TextDecoder().decode(got.data.subarray(8)) };
    }
    return undefined;
  };
  return { ...booted, neighbour: watch, ask };
}

const valueOf = (i: number): string => `value ${i} `.repeat(1 + (i % 90));

describe('a key-value log', () => {
  test('puts and gets, and says what it has not', () => {
    const w = world(new CutDisk(BLOCKS));
    expect(w.ask(GET, 'a')).toEqual({ status: ERRORS.E_NONE, value: '' });
    expect(w.ask(PUT, 'a', 'one')).toEqual({ status: 3, value: '' });
    expect(w.ask(GET, 'a')).toEqual({ status: 3, value: 'one' });
    expect(w.ask(PUT, 'a', 'two!')).toEqual({ status: 4, value: '' });
    expect(w.ask(GET, 'a')).toEqual({ status: 4, value: 'two!' });
    expect(w.ask(3, 'a')?.status).toBe(ERRORS.E_RANGE);
    expect(w.ask(PUT, 'k'.repeat(41), 'x')?.status).toBe(ERRORS.E_RANGE);
    expect(w.ask(PUT, 'b', 'x'.repeat(1025))?.status).toBe(ERRORS.E_RANGE);
    expect(w.neighbour.damage()).toEqual([]);
  });

  test('a PUT is one write of the disk, and an idle second none of its slices', () => {
    const disk = new CutDisk(BLOCKS);
    const w = world(disk);
    expect(w.ask(PUT, 'first', 'x')?.status).toBe(1);
    for (let i = 0; i < 20; i += 1) {
      const before = disk.writes;
      expect(w.ask(PUT, `key ${i}`, valueOf(i))?.status).toBe(valueOf(i).length);
      expect(disk.writes - before).toBe(1);
    }
    const { slices, cycles } = w.aegis.environment(0);
    w.runUntil(() => false, 1);
    expect(w.aegis.environment(0)).toMatchObject({ slices, cycles });
  });

  test('what it was asked to put is there after a boot', () => {
    const disk = new CutDisk(BLOCKS);
    const before = world(disk);
    for (let i = 0; i < 30; i += 1) before.ask(PUT, `key ${i % 20}`, valueOf(i));
    const after = world(disk, 1000);
    for (let i = 10; i < 30; i += 1) expect(after.ask(GET, `key ${i % 20}`)?.value).toBe(valueOf(i));
  });

  test('gives frames back when it is asked, and has its values all the same', () => {
    const w = world(new CutDisk(BLOCKS));
    for (let i = 0; i < 60; i += 1) w.ask(PUT, `key ${i}`, valueOf(i));
    for (let i = 0; i < 60; i += 1) expect(w.ask(GET, `key ${i}`)?.value).toBe(valueOf(i));
    const held = w.aegis.parts.frames.heldBy(0).length;
    // A frame costs some 20,000 cycles to give back, and the deadline is two ticks: so many at a time.
    for (let i = 1; i <= 5; i += 1) {
      w.aegis.parts.revocation.ask(0, 0, 8);
      w.runUntil(() => false, 0.2);
      expect(w.aegis.parts.frames.heldBy(0).length).toBe(held - 8 * i);
    }
    for (let i = 0; i < 60; i += 1) expect(w.ask(GET, `key ${i}`)?.value).toBe(valueOf(i));
    expect(w.aegis.parts.frames.heldBy(0).length).toBe(held);
    expect(w.neighbour.damage()).toEqual([]);
    expect(checkInvariants(w.aegis)).toEqual([]);
  });

  test('power cuts: nothing acknowledged is lost, nothing is half there', () => {
    const choose = random(7);
    for (let life = 0; life < 4; life += 1) {
      const disk = new CutDisk(BLOCKS);
      const w = world(disk);
      const acknowledged = new Map<string, string>();
      let last: [key: string, value: string] = ['', ''];
      w.ask(PUT, 'first', 'x');
      disk.begin(disk.bytes.slice(), 1 + choose(20), choose, () => undefined);
      const isCut = (): boolean => disk.left !== undefined;
      for (let i = 0; i < 24 && !isCut(); i += 1) {
        last = [`key ${choose(6)}`, valueOf(choose(90))];
        if (w.ask(PUT, ...last) !== undefined && !isCut()) acknowledged.set(...last);
      }
      const next = new CutDisk(BLOCKS);
      next.bytes.set(disk.left ?? disk.bytes);
      const after = world(next, 1000);
      for (const [key, value] of acknowledged) {
        const found = after.ask(GET, key)?.value;
        if (key === last[0]) expect([value, last[1]]).toContain(found);
        else expect(found).toBe(value);
      }
    }
  });
});
