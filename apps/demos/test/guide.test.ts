/** The programs of docs/write-a-libos.md: each prints what the page says that it prints, and costs no more than the page says. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Network, Wire, memoryStore, type MachineOptions } from '../../../packages/hardware/src/index.ts';
import { beforeAll, describe, expect, test } from 'vitest';
import { OWN, PEER, boot, compile, host } from '../../create-libos/template/host/machine.js';

const FOLDER = join(import.meta.dirname, '../programs/guide');
const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/write-a-libos.md'), 'utf8');
const BLOCKS = 64;

type LibOs = Awaited<ReturnType<typeof compile>>;
type World = ReturnType<typeof boot>;

const programs = new Map<string, LibOs>();
beforeAll(async () => {
  for (const file of readdirSync(FOLDER)) {
    if (file !== 'tsconfig.json') programs.set(file.slice(0, -3), await compile(new URL(`file://${FOLDER}/${file}`)));
  }
}, 60_000);

function program(name: string): LibOs {
  const found = programs.get(name);
  if (found === undefined) throw new Error(`no program ${name}`);
  return found;
}

/** The section of the page behind a program's listing. */
function sectionOf(name: string): string {
  const [, section = ''] = PAGE.split(`<!-- file: apps/demos/programs/guide/${name}.ts -->`);
  return section.slice(section.indexOf('<!-- end -->')).split(/^## /m)[0] ?? '';
}

/** What the page says that a program prints: the first block of text there. */
const printedBy = (name: string): string => /```text\n([^]*?)```/.exec(sectionOf(name))?.[1] ?? 'nothing';

/** And how many cycles its environment takes at most, if the page says that. */
function costOf(name: string): number {
  const [, cycles] = /fewer than ([\d,]+) cycles/.exec(sectionOf(name)) ?? [];
  return cycles === undefined ? Infinity : Number(cycles.replaceAll(',', ''));
}

/** Runs it to its end on a machine, in so many environments, with an extent if there is a disk. */
function runs(name: string, copies = 1, disk?: MachineOptions['disk']): World {
  const image = program(name).alone(disk === undefined ? {} : { extent: { start: 0, blocks: BLOCKS } });
  const world = boot(
    Array.from({ length: copies }, () => image),
    disk === undefined ? {} : { disk },
  );
  for (let env = 0; env < copies; env += 1) expect(world.finish(env)).toBe('exited with 0');
  expect(world.aegis.environment(0).cycles).toBeLessThan(costOf(name));
  return world;
}

const newDisk = (): MachineOptions['disk'] => ({ store: memoryStore(new Uint8Array(BLOCKS * 4096)) });

test('every program stands on the page, and is run here', () => {
  expect([...programs.keys()].filter((name) => printedBy(name) === 'nothing')).toEqual([]);
  expect(programs.size).toBe(12);
  expect(['02-clock', '03-fault'].map(costOf)).toEqual([2000, 10_000]);
});

describe('each prints what the page says', () => {
  test.each([
    ['01-trap', 1],
    ['03-fault', 1],
    ['04-table', 1],
    ['05-threads', 2],
    ['06-share', 2],
    ['07-wake', 1],
  ])('%s', (name, copies) => {
    expect(runs(name, copies).printed()).toBe(printedBy(name));
  });

  test('02-clock, and its environment idles', () => {
    const world = runs('02-clock');
    expect(world.printed()).toBe(printedBy('02-clock'));
    // Half a second has passed, and more.
    expect(world.machine.cycles).toBeGreaterThan(world.machine.hz / 2);
  });

  test('08-log, at two boots with one disk', () => {
    const disk = newDisk();
    expect(runs('08-log', 1, disk).printed() + runs('08-log', 1, disk).printed()).toBe(printedBy('08-log'));
  });

  test.each(['09-revocation', '09-taken'])('%s', (name) => {
    expect(runs(name, 1, newDisk()).printed()).toBe(printedBy(name));
  });

  test('10-time and 10-ask, on two machines', () => {
    const wire = new Wire();
    const [service, client] = [
      boot([program('10-time').alone({ station: OWN })], { lance: { mac: OWN.mac, wire } }),
      boot([program('10-ask').alone({ station: PEER })], { lance: { mac: PEER.mac, wire } }),
    ];
    const network = new Network([service.machine, client.machine]);
    for (let i = 0; i < 500 && client.ending() === undefined; i += 1) network.run(10_000_000);
    network.run(250_000_000);
    expect(client.ending()).toBe('exited with 0');
    expect(service.printed()).toBe(printedBy('10-time'));
    expect(client.printed()).toBe(printedBy('10-ask'));
  });
});

test('the time service survives revocation, and gives back what it is asked for', () => {
  const wire = new Wire();
  const world = boot([program('10-time').alone({ station: OWN })], { lance: { mac: OWN.mac, wire } });
  const hosts = Array.from({ length: 6 }, (_, i) => {
    const station = { ...PEER, ip: PEER.ip + i, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 2 + i) };
    const { stack, flush } = host(wire, station);
    return { socket: stack.udp.bind(5000), flush };
  });
  world.run(0.7);
  const ask = (i: number): number => {
    const { socket, flush } = hosts[i]!;
    socket.send(OWN.ip, 37, new Uint8Array(0));
    flush();
    let answer: ReturnType<typeof socket.receive>;
    expect(world.run(1, () => (answer ??= socket.receive()) !== undefined)).toBe(true);
    return new DataView(answer!.data.buffer, answer!.data.byteOffset).getInt32(4, true);
  };
  const before = world.frames();
  expect(hosts.map((_, i) => ask(i))).toEqual([1, 1, 1, 1, 1, 1]);
  expect(hosts.map((_, i) => ask(i))).toEqual([2, 2, 2, 2, 2, 2]);
  expect(world.frames()).toBe(before + 6);
  world.revoke(4);
  world.run(0.2);
  expect(world.frames()).toBe(before + 2);
  expect(hosts.map((_, i) => ask(i)).sort()).toEqual([1, 1, 1, 1, 3, 3]);
  expect(world.ending()).toBeUndefined();
});
