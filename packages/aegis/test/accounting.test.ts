/** Who used what: the accounts add up, and two machines with the same inputs do the same. */
import { DEATHS, ENV, ENV_STATUS } from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import { S0, V0 } from '@exokernel/isa';
import { expect, test } from 'vitest';
import {
  boot,
  emitCall,
  emitEnd,
  emitSpin,
  quicken,
  rawImage,
  WINDOW,
  type Booted,
  type RawImage,
} from '../../testkit/src/index.ts';
import { bindFilter, makeRing, outside, packet, take } from './network.ts';

const USER = 2;

/** Some work of every sort. */
function worker(rounds: number): RawImage {
  return rawImage({
    main: function* (raw) {
      const frame = yield* raw.frame();
      for (let i = 0; i < rounds; i += 1) {
        yield* raw.bind(WINDOW, frame);
        yield* raw.poke(WINDOW, i);
        yield* raw.poke(0x500000, i);
        yield* raw.routine('spin');
        yield* raw.routine('kit.yield', -1);
      }
      yield* raw.sleep(2);
      return rounds;
    },
    emit: (a) => {
      a.label('spin');
      emitSpin(a, 500);
      a.ret();
      a.nop();
    },
  });
}

test('every instruction is somebody’s: what the accounts say is what is counted step by step', () => {
  const booted = boot([worker(6), worker(3)]);
  quicken(booted, 8192);
  const { machine, aegis } = booted;
  const counted = [0, 0];
  let kernel = 0;
  const isUser = (): boolean => (machine.cpu.cp0.status & USER) !== 0;
  // Until both are dead, and a while of idling.
  for (let left = 5000; left > 0;) {
    if ([0, 1].every((id) => aegis.parts.memory.env(id, ENV.status) === ENV_STATUS.dead)) left -= 1;
    const user = isUser();
    const env = aegis.parts.memory.current;
    const before = machine.instructions;
    machine.run(1);
    const executed = machine.instructions - before;
    // An interrupt is taken before the instruction, which is then the kernel's first.
    const interrupted = !isUser() && ((machine.cpu.cp0.cause >>> 2) & 31) === 0;
    if (user && !interrupted) counted[env] = (counted[env] ?? 0) + executed;
    else kernel += executed;
  }
  const accounts = [0, 1].map((env) => aegis.environment(env).instructions);
  expect(accounts).toEqual(counted);
  expect(accounts.reduce((a, b) => a + b) + kernel).toBe(machine.instructions);
  const [first] = aegis.environments();
  expect(first).toMatchObject({ death: DEATHS.exit, exit: 6, exceptions: 0 });
  // One upcall for each round's bad store; every access of the window was found.
  expect(first?.tlbUpcalls).toBe(6);
});

test('system calls, refills and exceptions are counted where they happen', () => {
  const image = rawImage({
    entry: 'go',
    emit: (a) => {
      a.label('go');
      for (let i = 0; i < 7; i += 1) emitCall(a, 'null');
      for (let i = 0; i < 3; i += 1) a.break(0);
      a.li(S0, 1);
      a.move(V0, S0);
      emitEnd(a);
    },
  });
  const booted = boot([image]);
  const [info] = booted.finish(0);
  expect(info).toMatchObject({
    exit: 1,
    systemCalls: 8,
    exceptions: 3,
    nativeSteps: 0,
    tlbUpcalls: 0,
    stlbHits: 0,
  });
  // Text, u-page, and the page of the exit routine if it is another.
  expect(info?.guaranteed).toBeGreaterThanOrEqual(2);
});

/** A busy machine: two workers, a disk, packets. Returns a digest of everything it did. */
function events(
  step: number,
  secret: Uint8Array | undefined,
): { digest: number; count: number; machine: Booted['machine'] } {
  const net = outside();
  const receiver = rawImage({
    extent: { start: 0, blocks: 8 },
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      yield* bindFilter(raw, ring.capability, 0x9000);
      const extent = yield* raw.granted('extent');
      const frame = yield* raw.frame();
      yield* raw.code('disk_read', ...extent, ...frame.capability, 3, 0);
      for (let i = 0; i < 6; i += 1) yield* take(raw, ring, i % 2);
      return 0;
    },
  });
  for (let i = 0; i < 6; i += 1) net.send(packet(0x9000, 100 + i));
  const booted = boot([worker(8), receiver], { ...net.machine, disk: { store: memoryStore(8 * 4096) } }, secret);
  let digest = 0;
  let count = 0;
  booted.machine.listen((kind, cycle, a, b, c) => {
    for (const value of [kind, cycle, a, b, c]) digest = (Math.imul(digest, 31) + value) | 0;
    count += 1;
  });
  while (booted.machine.cycles < 2_000_000) booted.machine.run(Math.min(step, 2_000_000 - booted.machine.cycles));
  return { digest, count, machine: booted.machine };
}

test('two boots, and boots driven in other steps, give the same events; so does another secret', () => {
  const first = events(25_000, undefined);
  expect(first.count).toBeGreaterThan(200);
  for (const other of [events(25_000, undefined), events(7, undefined), events(999_983, Uint8Array.of(1, 2, 3))]) {
    expect([other.digest, other.count]).toEqual([first.digest, first.count]);
    expect(other.machine.instructions).toBe(first.machine.instructions);
  }
});
