/**
 * One episode of the fuzzer: a machine with colluders, a wild environment, one that finds what others leave in registers and a
 * bystander, made from a seed. The same seed does the same.
 */
import { DEATHS, ENV, ENV_LIMIT, ENV_STATUS } from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import {
  boot,
  bystander,
  BystanderWatch,
  memoryFor,
  quicken,
  wildImage,
  type Booted,
} from '../../../testkit/src/index.ts';
import { generator, type Random } from '../soaker.ts';
import { MAC, outside, packet } from '../outside.ts';
import { colluder } from './colluder.ts';
import { finder, wasFound } from './finder.ts';
import { FIRST_TYPE, TYPES, ZEROS } from './floods.ts';
import { Ledger } from './ledger.ts';
import { modest } from './modest.ts';
import { watch } from './oracles.ts';

/** Calls of one episode. */
export const EPISODE_CALLS = 4000;
const BLOCKS = 64;
/** Cycles between two looks at private frames, and at everything. */
const LOOK = 60_000;
const INSPECT = 4_000_000;
/** And between packets of a flood. */
const FLOOD = 6000;
/** An episode in which so little happens ends. */
const MOST_CYCLES = 60_000_000;

export interface Episode {
  readonly seed: number;
  readonly calls: number;
  readonly cycles: number;
  /** What was wrong; nothing if all is well. */
  readonly findings: readonly string[];
  /** Of every call how often it succeeded. */
  readonly answers: ReadonlyMap<string, number>;
}

/** Executes an episode of about so many calls. */
export function episode(seed: number, calls: number): Episode {
  const random = generator(seed);
  const ledger = new Ledger(calls, random);
  const net = outside();
  const store = memoryStore(BLOCKS * 4096);
  const families = 2 + random(3);
  const hertz = ([64, 1024, 1024, 2048, 2048] as const)[random(5)] ?? 64;
  const booted = boot(
    [],
    {
      ...net.machine,
      disk: { store },
      engine: random(2) === 0 ? 'interpreter' : 'translator',
      profile: random(3) === 0 ? 'dec5000' : 'ideal',
      ramBytes: memoryFor(random(2) === 0 ? 150 : 400),
    },
    Uint8Array.of(seed, seed >> 8, seed >> 16),
  );
  if (hertz !== 64) quicken(booted, hertz);
  const { aegis, machine } = booted;
  ledger.attach(aegis);
  const watched = new BystanderWatch(aegis, aegis.load(bystander()));
  const found = random(4) > 0 ? aegis.load(finder(seed)) : undefined;
  if (random(2) === 0) aegis.load(modest(ledger));
  let next = seed * 1000;
  for (let i = 0; i < families; i += 1) aegis.load(colluder((next += 1), ledger));
  if (random(3) === 0) aegis.load(wildImage(seed, MAC));
  const oracles = watch(aegis, ledger, store, net.received);

  const packets = Array.from({ length: 40 }, (_, i) => packet(FIRST_TYPE + random(TYPES), 60 + random(1400), i));
  for (const one of packets) one.fill(0, ZEROS.from, ZEROS.to);
  const flood = random(3) === 0;
  const death = random(4) === 0;
  let [looked, inspected, sent] = [0, 0, 0];
  const send = (): void => {
    net.send(packets[random(packets.length)] ?? new Uint8Array());
  };
  const inspect = (): void => {
    inspected = machine.cycles;
    oracles.inspect();
    for (const damage of watched.damage()) ledger.report(damage);
    if (found !== undefined && wasFound(booted, found)) ledger.report('a register held what another left there');
  };
  const start = machine.cycles;
  try {
    while (ledger.calls < calls && machine.cycles - start < MOST_CYCLES && ledger.findings.length === 0) {
      machine.run(1 + random([1, 60, 3000, 25_000, flood ? 25_000 : 400_000][random(5)] ?? 1));
      watched.look();
      if (flood && machine.cycles - sent > FLOOD) {
        sent = machine.cycles;
        for (let i = random(6); i > 0; i -= 1) send();
      }
      if (machine.cycles - looked < LOOK) continue;
      looked = machine.cycles;
      oracles.look();
      for (let i = random(3); i > 0; i -= 1) send();
      if (death && random(400) === 0) kill(booted, random);
      if (machine.cycles - inspected < INSPECT) continue;
      inspect();
      if (colluders(booted) < families) load(booted, () => colluder((next += 1), ledger));
    }
    if (ledger.findings.length === 0) inspect();
    if (ledger.calls === 0) ledger.report('no colluder has run');
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    ledger.report(`the machine stopped: ${cause instanceof Error ? cause.stack : String(cause)}`);
  }
  return {
    seed,
    calls: ledger.calls,
    cycles: machine.cycles - start,
    findings: [...new Set(ledger.findings)].slice(0, 10),
    answers: ledger.answers,
  };
}

function colluders({ aegis }: Booted): number {
  return aegis.environments().filter(({ status, name }) => status !== 'dead' && /^colluder \d+$/.test(name)).length;
}

function load({ aegis }: Booted, image: () => Parameters<typeof aegis.load>[0]): void {
  try {
    aegis.load(image());
  } catch {
    // There is no room: what the dead have made has it.
  }
}

/** The host ends one that does not run right now: its makers, or what it has made, are left without it. */
function kill({ aegis }: Booted, random: Random): void {
  const { memory, environments } = aegis.parts;
  const env = 2 + random(ENV_LIMIT - 2);
  const name = aegis.environment(env).name;
  if (env === memory.current || !name.startsWith('colluder')) return;
  if (memory.env(env, ENV.status) === ENV_STATUS.runnable) environments.end(env, DEATHS.destroyed);
}
