import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EXCEPTIONS, PAGE_BYTES, type Image } from '@exokernel/abi';
import { A0, V0, ZERO } from '@exokernel/isa';
import { MACHINE_IP, MACHINE_MAC, NETMASK, Station } from '../../cheetah/test/station.ts';
import { arp, encodeFilter, etherType } from '../../dpf/src/index.ts';
import { Wire } from '../../hardware/src/index.ts';
import { NetworkStack, type StackOptions } from '../../net/src/index.ts';
import { boot, memoryStore } from '../../testkit/src/index.ts';
import * as kit from '../src/index.ts';

test('the README snippet', () => {
  const tiny: kit.LibOs<'clock'> = {
    name: 'tiny',
    provides: ['clock'],
    load: (program, placement) => {
      if (program.kind !== 'fiber') throw new RangeError('tiny runs TypeScript only');
      const fibers = new kit.Fibers();
      const runtime = kit.assembleRuntime({
        resumes: [],
        emit: (a) => {
          kit.emitClock(a);
          kit.emitFiberEntry(a, 'tiny.main', kit.FIRST_LIBOS_NATIVE);
          a.label('tiny.start');
          a.bal('tiny.main');
          a.nop();
          a.j('kit.exit');
          a.move(A0, V0);
        },
      });
      const os = { clock: kit.fiberClock(fibers, runtime) };
      return kit.buildImage({
        name: program.name,
        libos: 'tiny',
        runtime,
        entry: kit.address(runtime, 'tiny.start'),
        pages: [],
        handlers: {},
        natives: (env) => [fibers.step(env), fibers.start(env, () => program.main(os))],
        placement,
      });
    },
  };

  const nap = kit.program('nap', ['clock'], function* (os) {
    const before = yield* os.clock.ticks();
    yield* os.clock.sleep(3);
    return (yield* os.clock.ticks()) - before;
  });
  const image = kit.compose(tiny, nap);
  const [outcome] = boot([image]).finish(0);
  expect(outcome).toMatchObject({ name: 'nap', libos: 'tiny', exit: 3 });
});

const HEAP = kit.UKIT.libos;

function greeter(host: StackOptions, extent: { readonly start: number; readonly blocks: number }): Image {
  const runtime = kit.assembleRuntime({
    resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs],
    emit: (a) => {
      for (const kind of ['tlbl', 'tlbs'] as const) kit.emitFaultHandler(a, kind, { absent: 'bad', outside: 'bad' });
      a.label('bad');
      a.li(A0, 139);
      a.j('kit.exit');
      a.sw(A0, kit.UKIT.failed, ZERO);
      kit.emitFiberEntry(a, 'main', kit.FIRST_LIBOS_NATIVE);
      a.label('start');
      a.bal('main');
      a.nop();
      a.j('kit.exit');
      a.move(A0, V0);
      kit.emitEagerAllocate(a, HEAP, kit.PAGED_END);
    },
  });
  const allocate = kit.address(runtime, 'memory_allocate');
  const fibers = new kit.Fibers();
  const memory = kit.fiberMemory(fibers, (bytes) => fibers.call(allocate, bytes));

  function* main(): kit.Fiber<number> {
    const page = yield* memory.allocate(PAGE_BYTES);
    const disk = yield* kit.DiskExtent.open(fibers, memory, { runtime });
    if (page < 0 || typeof disk === 'number') return 1;
    const failed = yield* disk.read([0], page);
    if (failed < 0) return 2;
    const greeting = new Uint8Array(5);
    yield* fibers.read(page, greeting);

    const filters = [encodeFilter(etherType(0x0800)), encodeFilter(arp({ targetIp: host.ip }))];
    const device = yield* kit.NetworkDevice.open(fibers, memory, { filters });
    if (!(device instanceof kit.NetworkDevice)) return 3;
    const stack = new NetworkStack(host);
    const socket = stack.udp.bind(7);
    for (;;) {
      yield* fibers.syscall('tick');
      const { tick } = fibers.results('tick');
      const now = (tick * 1000) / 64;
      const received = yield* device.receive(stack, now);
      stack.poll(now);
      for (let asked = socket.receive(); asked !== undefined; asked = socket.receive()) {
        socket.send(asked.ip, asked.port, greeting);
      }
      const sent = yield* device.transmit(stack, now);
      // A packet that arrives ends the sleep.
      if (received + sent === 0) yield* fibers.call(kit.address(runtime, 'kit.sleep'), tick + 64);
    }
  }

  return kit.buildImage({
    name: 'greeter',
    libos: 'greeter',
    runtime,
    entry: kit.address(runtime, 'start'),
    pages: [],
    handlers: { tlbl: 'fault.tlbl', tlbs: 'fault.tlbs' },
    natives: (env) => [fibers.step(env), fibers.start(env, main)],
    placement: {},
    extent,
    words: () => new Map([[HEAP, 0]]),
  });
}

test('the README server', () => {
  const wire = new Wire();
  const disk = new Uint8Array(8 * PAGE_BYTES);
  disk.set(kit.encodeUtf8('hello'), 2 * PAGE_BYTES);
  const host = { mac: MACHINE_MAC, ip: MACHINE_IP, netmask: NETMASK, seed: 1 };
  const booted = boot([greeter(host, { start: 2, blocks: 1 })], {
    lance: { mac: MACHINE_MAC, wire },
    disk: { store: memoryStore(disk) },
  });
  const station = new Station(booted.machine, wire);
  const socket = station.stack.udp.bind(5000);
  let answer: Uint8Array | undefined;
  booted.runUntil(() => false, 0.2);
  socket.send(MACHINE_IP, 7, kit.encodeUtf8('?'));
  booted.runUntil(() => {
    station.pump();
    answer ??= socket.receive()?.data;
    return answer !== undefined;
  }, 1);
  expect(kit.decodeUtf8(answer ?? new Uint8Array(0))).toBe('hello');
});

test('is this code', () => {
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ').trim();
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const here = squeeze(readFileSync(new URL(import.meta.url), 'utf8'));
  const snippets = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, snippet = '']) => snippet);
  expect(snippets).toHaveLength(2);
  for (const snippet of snippets) expect(here).toContain(squeeze(snippet.replace(/^import .*$/gm, '')));
});
