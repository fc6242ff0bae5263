/**
 * UDP echo at user level between two machines of profile `dec5000` on a wire of 10 Mbit/s, with frames of 60 bytes: on ExOS, compiled, and in machine code by
 * hand. The time there and back is that between two questions on the wire. [SOSP95 T11]
 */
import type { Image } from '@exokernel/abi';
import { Aegis } from '@exokernel/aegis';
import { exos } from '@exokernel/exos';
import { EVENT_KINDS, Machine, Network, Wire } from '@exokernel/hardware';
import { compose, type NetworkStation } from '@exokernel/libos-kit';
import { NetworkStack, frameBytes } from '@exokernel/net';
import { byHand } from './by-hand.ts';
import { CLIENT, DATA_BYTES, SERVER, askProgram, echoProgram } from './programs.ts';
import { median, type Bar, type Report, type Row } from '../report.ts';

const PROFILE = 'dec5000';
const RAM = 8 * 2 ** 20;
/** Questions that are measured, after some for which caches and tables are not yet as they will be. */
const MEASURED = 100;
const WARM = 10;
const QUESTIONS = WARM + MEASURED + 1;
const STEP = 10_000_000;
const MOST_SECONDS = 10;
/** The paper's time of ExOS without handlers, and how much more than by hand. */
const MOST_US = 320;
const MOST_RATIO = 1.3;

const stationOf = (ip: number): NetworkStation => ({
  mac: Uint8Array.of(0x08, 0, 0x2b, 0, 0, ip & 0xff),
  ip,
  netmask: 0xffffff00,
});

/** A question of the client's, as it is on the wire: type, port. */
const isQuestion = (frame: Uint8Array): boolean =>
  frame[12] === 8 && frame[13] === 0 && frame[23] === 17 && ((frame[36] ?? 0) << 8) + (frame[37] ?? 0) === SERVER.port;

/** Times there and back in microseconds. Throws if a native function ran meanwhile, an environment ended, or the talk does. */
function roundTrips(server: Image, client: Image): number[] {
  const wire = new Wire({ bandwidth: 10_000_000 });
  const questions: number[] = [];
  let natives = 0;
  const isMeasured = (): boolean => questions.length > WARM && questions.length <= WARM + MEASURED;
  wire.tap(({ bytes, time }) => {
    if (!isQuestion(bytes)) return;
    if (bytes.length !== 60) throw new Error(`a frame of ${bytes.length} bytes`);
    questions.push(time);
  });
  const systems = [
    { image: server, ...SERVER },
    { image: client, ...CLIENT },
  ].map(({ image, ip }) => {
    const machine = new Machine({ profile: PROFILE, ramBytes: RAM, lance: { mac: stationOf(ip).mac, wire } });
    machine.listen((kind) => {
      if (kind === EVENT_KINDS.native.kind && isMeasured()) natives += 1;
    });
    const aegis = new Aegis(machine);
    return { aegis, machine, env: aegis.load(image) };
  });
  const network = new Network(systems.map(({ machine }) => machine));
  while (questions.length < QUESTIONS && network.now < MOST_SECONDS * 1e9) network.run(STEP);
  if (questions.length < QUESTIONS) {
    const ends = systems.map(({ aegis, env }) => aegis.environment(env).cause?.text ?? 'runs');
    throw new Error(`${questions.length} questions; server and client: ${ends.join(', ')}`);
  }
  if (natives > 0) throw new Error(`${natives} native functions ran meanwhile`);
  const times = questions.slice(WARM, WARM + MEASURED + 1);
  return times.slice(1).map((time, i) => (time - (times[i] ?? 0)) / 1000);
}

export async function network(): Promise<Report> {
  const rows: Row[] = [];
  const measure = (name: string, server: Image, client: Image): number => {
    process.stderr.write(`network: ${name}\n`);
    const rounds = roundTrips(server, client);
    rows.push({ name, unit: 'µs', median: median(rounds), rounds });
    return median(rounds);
  };
  const compiled = measure(
    'UDP echo, 60-byte frames, ExOS, compiled',
    compose(exos, await echoProgram(), { station: stationOf(SERVER.ip) }),
    compose(exos, await askProgram(QUESTIONS + WARM), { station: stationOf(CLIENT.ip) }),
  );
  const hand = measure(
    'UDP echo, 60-byte frames, by hand on rings',
    byHand(SERVER),
    byHand({ ...CLIENT, first: firstQuestion() }),
  );
  const bars: Bar[] = [
    { text: `µs, UDP echo of 60-byte frames on ExOS: at most ${MOST_US}`, value: compiled, holds: compiled <= MOST_US },
    {
      text: `UDP echo, compiled to machine code by hand ≤ ${MOST_RATIO}`,
      value: compiled / hand,
      holds: compiled / hand <= MOST_RATIO,
    },
  ];
  return { rows, bars };
}

/** The first question, for the echo by hand, whose client is an echo that begins: what a stack of the host's sends when it knows the neighbour. */
function firstQuestion(): Uint8Array {
  const client = new NetworkStack({ ...stationOf(CLIENT.ip), seed: 1 });
  const server = new NetworkStack({ ...stationOf(SERVER.ip), seed: 2 });
  client.udp.bind(CLIENT.port).send(SERVER.ip, SERVER.port, new Uint8Array(DATA_BYTES));
  const sent = (from: NetworkStack): Uint8Array[] => {
    const frames: Uint8Array[] = [];
    from.transmit((frame) => frames.push(frameBytes(frame)) > 0, 0);
    return frames;
  };
  for (let i = 0; i < 4; i += 1) {
    const frames = sent(client);
    const found = frames.find(isQuestion);
    if (found !== undefined) return found;
    for (const frame of frames) server.receive(frame, 0);
    for (const frame of sent(server)) client.receive(frame, 0);
  }
  throw new Error('the stack asks nothing');
}
