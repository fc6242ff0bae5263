/**
 * The demo: boots one machine, runs everything at once, fetches the site through the gateway with the host's own `fetch`, checks,
 * reports.
 */
import { CHEETAH_EXIT } from '@exokernel/cheetah';
import { demoSite } from '@exokernel/demos';
import { UsageError } from '../error.ts';
import { openStore } from './disk.ts';
import { EchoPeer } from './echo-peer.ts';
import { HostileNotes, programChecks, type Check } from './checks.ts';
import { Gateway } from '../gateway.ts';
import { listenOrRefuse } from '../listen.ts';
import { Pace } from '../pace.ts';
import { openNetwork } from '../run-network.ts';
import type { Progress } from '../progress.ts';
import { makeReport, type Report } from './report.ts';
import { HTTP_PORT, NETWORK, createWorld, type Role, type World } from './world.ts';

export interface DemoOptions {
  /** Without the gateway, and so without anything of the host: two runs count the same. */
  readonly offline: boolean;
  /** Port of the gateway on 127.0.0.1; 0: any free one. */
  readonly port: number;
  /** A file with a site as `exok site` makes it, instead of the demo's own. */
  readonly disk: string | undefined;
  readonly progress: Progress;
}

/** Cycles between two looks at the outside: 4 ms of the machine. */
const STEP = 100_000;
/** Machine time after which the demo gives up: nothing in it takes a tenth of that. */
const LIMIT_SECONDS = 60;
/** Host time that the machine runs between two looks at the sockets, while it has something to do. */
const TURN_MS = 1;
/** Bytes that a server may send before the gateway is pumped again. */
const GATEWAY_WINDOW = 131_072;
/** Host time to wait for input when the machine has nothing to do. */
const IDLE_WAIT_MS = 5;

/** Runs the demo to its end. Throws `UsageError` before anything is made, for options that cannot be met. */
export async function runDemo(options: DemoOptions): Promise<Report> {
  const { progress } = options;
  const store = openStore(options.disk);
  try {
    progress('booting Aegis and five environments');
    const world = createWorld(store.store);
    const gateway = options.offline ? undefined : await openGateway(world, options.port);
    try {
      return await drive(world, gateway, options);
    } finally {
      await gateway?.gateway.close();
    }
  } finally {
    store.close();
  }
}

export interface ServeOptions extends Omit<DemoOptions, 'offline'> {
  /** Cycles per second of the machine, in millions. */
  readonly mhz: number;
  /** A link out of the simulation (`run-network.ts`) on the wire of machine and gateway. */
  readonly net: string | undefined;
  /** Says something to the user. */
  readonly say: (text: string) => void;
  /** Ends the service. */
  readonly stop: Promise<void>;
  readonly ready: (url: string) => void;
}

/** Stays up until `stop` resolves; tells the URL. Throws `UsageError`. */
export async function serveDemo(options: ServeOptions): Promise<Report> {
  const store = openStore(options.disk);
  try {
    const world = createWorld(store.store, { hz: options.mhz * 1e6 });
    const { gateway, port } = await openGateway(world, options.port);
    // The machine alone: gateway and echo peer are of this process.
    const on = { wire: world.wire, from: NETWORK.machine.mac };
    const network = await openNetwork({ net: options.net }, options.say, on).catch(async (error: unknown) => {
      await gateway.close();
      throw error;
    });
    world.wire.listenInputs(gateway.doze.wake);
    const pace = new Pace(world.machine);
    const notes = new HostileNotes();
    const peer = new EchoPeer(world);
    const signal = { stopped: false };
    void options.stop.then(() => {
      signal.stopped = true;
    });
    let told = false;
    try {
      while (!signal.stopped) {
        await pacedStep(world, gateway, pace);
        refuseNoSite(world, options.disk);
        notes.update(world);
        if (world.isServing()) peer.pump();
        if (!told && world.isServing()) {
          told = true;
          options.ready(`http://127.0.0.1:${port}/`);
        }
      }
    } finally {
      network?.close();
      await gateway.close();
    }
    // Stopped before its programs have ended, there is nothing to check yet.
    const ended = peer.done && PROGRAMS.every((role) => isDead(world, role));
    return makeReport(world, ended ? [...programChecks(world, notes), echoCheck(peer)] : []);
  } finally {
    store.close();
  }
}

async function openGateway(world: World, port: number): Promise<{ gateway: Gateway; port: number }> {
  const gateway = new Gateway({
    machine: world.machine,
    wire: world.wire,
    self: { ...NETWORK.gateway, netmask: NETWORK.netmask, seed: 2, tcp: { receiveBuffer: GATEWAY_WINDOW } },
    server: { ip: NETWORK.machine.ip, port: HTTP_PORT },
  });
  return { gateway, port: await listenOrRefuse(gateway, port) };
}

/** One step of the machine and of what is around it. */
async function step(world: World, gateway: Gateway | undefined): Promise<void> {
  world.machine.run(STEP);
  if (gateway === undefined) return;
  gateway.pump();
  await seeSockets();
}

/** As many steps as there is time for until the sockets are looked at; a wait, if there is nothing to do before. */
async function pacedStep({ machine, wire }: World, gateway: Gateway, pace: Pace): Promise<void> {
  const until = performance.now() + TURN_MS;
  let isQuiet = false;
  do {
    const { due } = pace;
    machine.run(Math.min(due, STEP));
    isQuiet = due < STEP && wire.isQuiet && machine.quietUntil > machine.cycles;
  } while (!isQuiet && performance.now() < until);
  // Once a turn: a write to a socket costs the host as much as several frames.
  gateway.pump();
  if (isQuiet && wire.isQuiet) await gateway.doze.wait(IDLE_WAIT_MS);
  else await seeSockets();
}

function seeSockets(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function drive(
  world: World,
  gateway: { gateway: Gateway; port: number } | undefined,
  { progress, disk }: DemoOptions,
): Promise<Report> {
  const { machine } = world;
  const notes = new HostileNotes();
  const peer = new EchoPeer(world);
  let fetched: Promise<Check[]> | undefined;
  let web: Check[] | undefined = gateway === undefined ? [] : undefined;
  for (;;) {
    await step(world, gateway?.gateway);
    refuseNoSite(world, disk);
    notes.update(world);
    if (world.isServing()) {
      peer.pump();
      if (gateway !== undefined && fetched === undefined) {
        progress(`Cheetah serves; fetching http://127.0.0.1:${gateway.port}/`);
        fetched = fetchSite(gateway.port, disk === undefined).then((checks) => (web = checks));
      }
    }
    const waiting = [
      ...PROGRAMS.filter((role) => !isDead(world, role)),
      ...(peer.done ? [] : ['echo']),
      ...(web === undefined ? ['web'] : []),
    ];
    if (waiting.length === 0 || machine.cycles > LIMIT_SECONDS * machine.hz) break;
    progress(`${(machine.cycles / machine.hz).toFixed(1)} s of machine time; running: ${waiting.join(', ')}`);
  }
  return makeReport(world, [...programChecks(world, notes), echoCheck(peer), ...(web ?? [WEB_TIMEOUT])]);
}

/** Environments that end. */
const PROGRAMS = ['matmul', 'talk', 'hostile'] as const;

function isDead(world: World, role: Role): boolean {
  return world.aegis.environment(world.env[role]).status === 'dead';
}

/** Throws `UsageError` if Cheetah has ended because of what is on the disk. */
function refuseNoSite(world: World, disk: string | undefined): void {
  if (!isDead(world, 'cheetah')) return;
  const { exit } = world.aegis.environment(world.env.cheetah);
  const where = disk ?? 'the disk';
  if (exit === CHEETAH_EXIT.noMemory)
    throw new UsageError(`the site on ${where} does not fit into the server's memory`);
  if (exit === CHEETAH_EXIT.noSite) {
    throw new UsageError(`no site on ${where}: make one with exok site <folder> <file>`);
  }
}

const WEB_TIMEOUT: Check = { name: 'cheetah: answers', ok: false, detail: 'no answer within the time of the demo' };

function echoCheck(peer: EchoPeer): Check {
  return {
    name: 'ash: a handler in the kernel answered UDP echo',
    ok: peer.ok,
    detail: `${peer.answered} datagrams came back unchanged`,
  };
}

/** Fetches every file of the demo's site, or the root of another's, and compares. */
async function fetchSite(port: number, own: boolean): Promise<Check[]> {
  const base = `http://127.0.0.1:${port}`;
  const checks = await Promise.all(
    (own ? demoSite() : []).map(async ({ path, type, body }) => {
      const name = `cheetah: ${path}, every byte`;
      try {
        const response = await fetch(base + path);
        const bytes = new Uint8Array(await response.arrayBuffer());
        const ok =
          response.status === 200 && Buffer.compare(bytes, body) === 0 && response.headers.get('content-type') === type;
        return { name, ok, detail: `status ${response.status}, ${bytes.length} of ${body.length} bytes` };
      } catch (error) {
        return { name, ok: false, detail: String(error) };
      }
    }),
  );
  const missing = await fetch(`${base}/no/such/file`).then(
    ({ status }) => status,
    (error: unknown) => String(error),
  );
  return [...checks, { name: 'cheetah: a file that is not there', ok: missing === 404, detail: `status ${missing}` }];
}
