/**
 * Both engines, at any threshold of translation, in one long run and in steps of any size: the same machine at the end, also with the
 * kernel, its natives and the devices at work. What the translator executes can be told from the interpreter only by its speed.
 */
import { memoryStore, type Engine } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { boot, bystander, quicken, type Booted } from '../../testkit/src/index.ts';
import { ATTACKS } from './attackers.ts';
import { outside, packet } from './network.ts';
import { soaker, type World } from './soaker.ts';

/** `SOAK_STEPS` makes the runs that many times as long. */
const LONGER = Number(process.env['SOAK_STEPS'] ?? 1);
const WHOLE = Infinity;

interface How {
  readonly engine: Engine;
  readonly after: number;
  readonly step: number;
}

const REFERENCE: How = { engine: 'interpreter', after: 1, step: WHOLE };
const OTHERS: readonly How[] = [
  { engine: 'translator', after: 1, step: WHOLE },
  { engine: 'translator', after: 4, step: 250_000 },
  { engine: 'translator', after: 32, step: 25_000 },
  { engine: 'translator', after: 2, step: 7_919 },
];

function runIn({ machine }: Booted, cycles: number, step: number): void {
  const end = machine.cycles + cycles;
  while (machine.cycles < end) machine.run(Math.min(step, end - machine.cycles));
}

/** What can be told of a machine afterwards. */
function end({ machine, aegis }: Booted): unknown {
  return {
    fingerprint: machine.fingerprint,
    cycles: machine.cycles,
    instructions: machine.instructions,
    cpu: [...machine.cpu.words()],
    environments: aegis.environments(),
  };
}

/** Attacks that run side by side, so that more of them have their turn in the same time. */
const TOGETHER = 6;

function attacked(images: readonly (typeof ATTACKS)[number][], { engine, after, step }: How): unknown {
  const all = [...images.map(([, image]) => image()), bystander()];
  const booted = boot(all, { engine, translation: { after, worthwhile: 8 } });
  quicken(booted, 1024);
  runIn(booted, 500_000 * LONGER, step);
  return end(booted);
}

const GROUPS = Array.from({ length: Math.ceil(ATTACKS.length / TOGETHER) }, (_, i) =>
  ATTACKS.slice(i * TOGETHER, (i + 1) * TOGETHER),
);

test.each(GROUPS.map((group, i) => [group.map(([name]) => name).join('; '), group, i] as const))(
  'beside each other: %s',
  (_, group, i) => {
    // Each group with other settings, so that all of them come.
    expect(attacked(group, OTHERS[i % OTHERS.length] ?? REFERENCE)).toEqual(attacked(group, REFERENCE));
  },
);

function world(): World {
  return { calls: 0, wanted: Infinity, capabilities: [], answers: new Map() };
}

/** Three environments that call at random, with packets and a disk. */
function soaked({ engine, after }: Omit<How, 'step'>, seed: number): Booted & { readonly world: World } {
  const net = outside();
  const shared = world();
  const booted = boot(
    [1, 2, 3].map((i) => soaker(seed + i, shared)),
    { ...net.machine, disk: { store: memoryStore(64 * 4096) }, engine, translation: { after, worthwhile: 8 } },
  );
  for (let i = 0; i < 400; i += 1) net.send(packet(0x9000 + (i & 3), 64 + 3 * i));
  return { ...booted, world: shared };
}

test.each([222, 44444])('random calls, seed %i: the same in any steps', (seed) => {
  const [wanted, ...others] = [REFERENCE, ...OTHERS].map((how) => {
    const booted = soaked(how, seed);
    runIn(booted, 2_000_000 * LONGER, how.step);
    return { calls: booted.world.calls, answers: booted.world.answers, end: end(booted) };
  });
  expect(wanted?.calls).toBeGreaterThan(20);
  for (const other of others) expect(other).toEqual(wanted);
});

test('run(n) is n times run(1), with the kernel, natives and devices at work', () => {
  const [whole, ...single] = [REFERENCE, ...OTHERS.slice(0, 2)].map((how) => {
    const booted = soaked(how, 77);
    booted.machine.run(800_000);
    runIn(booted, 60_000 * LONGER, how === REFERENCE ? WHOLE : 1);
    return { calls: booted.world.calls, end: end(booted) };
  });
  for (const one of single) expect(one).toEqual(whole);
});
