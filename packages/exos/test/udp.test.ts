/** UDP of ExOS on the machine: the kernel's rings and filters, a wire, and a stack of the host's at its other end. */
import { ERRORS } from '@exokernel/abi';
import { EVENT_KINDS, Wire } from '../../hardware/src/index.ts';
import {
  COMPILED_MEMORY,
  compiledProgram,
  compose,
  program,
  type FiberProgram,
  type LibOs,
  type Udp,
} from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import type { NetworkStack } from '../../net/src/index.ts';
import {
  boot,
  bystander,
  BystanderWatch,
  checkInvariants,
  exitOf,
  peer,
  quicken,
  type Booted,
} from '../../testkit/src/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import { exos, exosInverted, type ExosInterface } from '../src/index.ts';

const OWN = { ip: 0x0a000001, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 1), netmask: 0xffffff00 };
const PEER = { ip: 0x0a000002, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 2), netmask: 0xffffff00, seed: 1 };

interface World extends Booted {
  readonly peer: NetworkStack;
  readonly send: (frame: Uint8Array) => void;
  /** Sends what the peer has to send. */
  readonly flush: () => void;
}

function world(...images: Parameters<typeof boot>[0][number][]): World {
  const wire = new Wire();
  const { stack, flush, send } = peer(wire, PEER);
  return { ...boot(images, { lance: { mac: OWN.mac, wire } }), peer: stack, flush, send };
}

const run = (
  libos: LibOs<ExosInterface>,
  one: FiberProgram<ExosInterface>,
  ip = OWN.ip,
): Parameters<typeof boot>[0][number] => compose(libos, one, { station: { ...OWN, ip } });

/** Answers so many datagrams, and ends with 0. */
function* echo(
  udp: Udp,
  port: number,
  times: number,
): Generator<never, number, void> | ReturnType<FiberProgram<'udp'>['main']> {
  const socket = yield* udp.open(port);
  if (socket < 0) return -socket;
  for (let i = 0; i < times; i += 1) {
    const got = yield* udp.receive(socket);
    if (typeof got === 'number') return -got;
    const code = yield* udp.send(socket, got.address, got.port, got.bytes);
    if (code < 0) return -code;
  }
  return 0;
}

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

describe.each([exos, exosInverted])('$name', (libos) => {
  test('datagrams there and back, of all lengths', () => {
    const lengths = [0, 1, 2, 3, 18, 500, 1471, 1472];
    const w = world(
      run(
        libos,
        program('echo', ['udp'], (os) => echo(os.udp, 7, lengths.length)),
      ),
    );
    const socket = w.peer.udp.bind(5000);
    w.runUntil(() => false, 0.5);
    for (const length of lengths) {
      const data = Uint8Array.from({ length }, (_, i) => i & 0xff);
      socket.send(OWN.ip, 7, data);
      w.flush();
      let got = socket.receive();
      w.runUntil(() => (got ??= socket.receive()) !== undefined, 1);
      expect(got).toEqual({ ip: OWN.ip, port: 7, data });
    }
    expect(w.finish(0).map(exitOf)).toEqual([0]);
    expect(checkInvariants(w.aegis)).toEqual([]);
  });

  test.each([8192, 1024] as const)('with ends of slices everywhere: %i a second', (hertz) => {
    const w = world(
      run(
        libos,
        program('echo', ['udp'], (os) => echo(os.udp, 7, 40)),
      ),
      run(
        libos,
        program('other', ['udp'], (os) => echo(os.udp, 8, 40)),
      ),
      bystander(),
    );
    quicken(w, hertz);
    const watch = new BystanderWatch(w.aegis, 2);
    const socket = w.peer.udp.bind(5000);
    w.runUntil(() => false, 0.5);
    for (let i = 0; i < 40; i += 1) {
      const data = Uint8Array.from({ length: 1 + ((i * 331) % 1472) }, (_, k) => (k + i) & 0xff);
      for (const port of [7, 8]) socket.send(OWN.ip, port, data);
      w.flush();
      const got: unknown[] = [];
      w.runUntil(() => {
        watch.look();
        const next = socket.receive();
        if (next !== undefined) got.push(next);
        return got.length === 2;
      }, 2);
      expect(got).toHaveLength(2);
      expect(got).toEqual(expect.arrayContaining([7, 8].map((port) => ({ ip: OWN.ip, port, data }))));
    }
    expect(w.finish(0, 1).map(exitOf)).toEqual([0, 0]);
    expect(watch.damage()).toEqual([]);
  });

  test('a child opens its own socket, and its parent goes on with what it has', () => {
    const w = world(
      run(
        libos,
        program('parent', ['udp', 'processes'], function* (os) {
          const socket = yield* os.udp.open(7);
          const child = yield* os.processes.fork(function* () {
            // Not the parent's.
            if ((yield* os.udp.receive(socket, 0)) !== ERRORS.E_CAP) return 1;
            if ((yield* os.udp.send(socket, PEER.ip, 1, text('no'))) !== ERRORS.E_CAP) return 2;
            if ((yield* os.udp.open(7)) !== ERRORS.E_OVERLAP) return 3;
            return yield* echo(os.udp, 8, 2);
          });
          if (child < 0) return 10;
          for (let i = 0; i < 4; i += 1) {
            const got = yield* os.udp.receive(socket);
            if (typeof got === 'number') return 11;
            if ((yield* os.udp.send(socket, got.address, got.port, text('parent'))) < 0) return 12;
          }
          return (yield* os.processes.wait())?.code ?? 13;
        }),
      ),
    );
    const socket = w.peer.udp.bind(5000);
    const ask = (port: number, expected: string): void => {
      socket.send(OWN.ip, port, text('child'));
      w.flush();
      let got = socket.receive();
      w.runUntil(() => (got ??= socket.receive()) !== undefined, 1);
      expect(got?.data).toEqual(text(expected));
    };
    w.runUntil(() => false, 1);
    for (const port of [7, 8, 7, 7, 8, 7]) ask(port, port === 7 ? 'parent' : 'child');
    expect(w.finish(0).map(exitOf)).toEqual([0]);
    expect(checkInvariants(w.aegis)).toEqual([]);
  });
});

test('two processes of a machine have one address and different ports; a closed port is answered, and an echo', () => {
  const two = [7, 8].map((port) =>
    run(
      exos,
      program(`port ${port}`, ['udp'], (os) => echo(os.udp, port, 1)),
    ),
  );
  const w = world(...two);
  const socket = w.peer.udp.bind(5000);
  w.runUntil(() => false, 0.5);
  // A port that no process has: unreachable, of which the peer takes no notice but to ignore it.
  socket.send(OWN.ip, 9, text('?'));
  w.flush();
  w.runUntil(() => w.peer.counters.icmpIgnored === 1, 1);
  expect(w.peer.counters).toMatchObject({ icmpIgnored: 1 });
  for (const port of [8, 7]) {
    socket.send(OWN.ip, port, text(`to ${port}`));
    w.flush();
    w.runUntil(() => w.peer.counters.udpIn === 9 - port, 1);
  }
  expect([socket.receive(), socket.receive()]).toEqual(
    [8, 7].map((port) => ({ ip: OWN.ip, port, data: text(`to ${port}`) })),
  );
  expect(w.finish(0, 1).map(exitOf)).toEqual([0, 0]);
});

test('processes with two addresses talk on one machine, by the loopback of the kernel', () => {
  const server = run(
    exos,
    program('server', ['udp'], (os) => echo(os.udp, 7, 3)),
  );
  const client = run(
    exos,
    program('client', ['udp'], function* (os) {
      const socket = yield* os.udp.open(1000);
      for (let i = 0; i < 3; i += 1) {
        let code = -1;
        // The server may not be there yet.
        while (code < 0) code = yield* os.udp.send(socket, OWN.ip, 7, Uint8Array.of(i));
        const got = yield* os.udp.receive(socket, 64);
        if (typeof got === 'number' || got.bytes[0] !== i) return 1;
      }
      return 0;
    }),
    0x0a000003,
  );
  expect(world(server, client).finish(0, 1).map(exitOf)).toEqual([0, 0]);
});

test('it waits as long as it is told, and uses no slice meanwhile', () => {
  const w = world(
    run(
      exos,
      program('waits', ['udp', 'clock'], function* (os) {
        const socket = yield* os.udp.open(7);
        const from = yield* os.clock.ticks();
        const got = yield* os.udp.receive(socket, 100);
        return got === ERRORS.E_AGAIN ? (yield* os.clock.ticks()) - from : 0;
      }),
    ),
  );
  w.runUntil(() => false, 0.5);
  const before = w.aegis.environment(0).instructions;
  w.runUntil(() => false, 1);
  expect(w.aegis.environment(0).instructions - before).toBeLessThan(300);
  const [ended] = w.finish(0);
  expect(ended && exitOf(ended)).toBe(100);
});

test('without a controller there is no network; without a station there is no image', () => {
  const one = program('none', ['udp'], function* (os) {
    return -(yield* os.udp.open(7));
  });
  expect(
    boot([run(exos, one)])
      .finish(0)
      .map(exitOf),
  ).toEqual([-ERRORS.E_DEVICE]);
  expect(() => compose(exos, one)).toThrow(expect.objectContaining({ code: 'image' }));
  for (const wrong of [{ ip: -1 }, { ip: 0 }, { netmask: 0xff00ff00 }, { gateway: 0.5 }, { mac: new Uint8Array(5) }]) {
    const make = (): unknown => compose(exos, one, { station: { ...OWN, ...wrong } });
    expect(make).toThrow(expect.objectContaining({ code: 'image' }));
  }
});

const IMPORTS = `
@external("kit", "udp_open") declare function udp_open(port: i32): i32;
@external("kit", "udp_close") declare function udp_close(socket: i32): i32;
@external("kit", "udp_send") declare function udp_send(socket: i32, host: u32, port: i32, address: usize, bytes: i32): i32;
@external("kit", "udp_receive") declare function udp_receive(socket: i32, address: usize, most: i32, sender: usize, ticks: i32): i32;`;

async function compiled(source: string): Promise<Parameters<typeof boot>[0][number]> {
  const { wasm, diagnostics } = await compileAssemblyScript(new Map([['main.ts', IMPORTS + source]]), 'main.ts', {
    memoryBase: COMPILED_MEMORY,
  });
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  return compose(exos, compiledProgram('compiled', ['udp'], wasm), { station: OWN });
}

test('a compiled program echoes, and no native function runs meanwhile', async () => {
  const w = world(
    await compiled(`
      const DATA = memory.data(1500), SENDER = memory.data(8);
      export function main(): i32 {
        const socket = udp_open(7);
        for (let i = 0; i < 20; i++) {
          const n = udp_receive(socket, DATA, 1500, SENDER, -1);
          if (n < 0) return n;
          const code = udp_send(socket, load<u32>(SENDER), load<i32>(SENDER, 4), DATA, n);
          if (code < 0) return code;
        }
        return 0;
      }`),
  );
  const socket = w.peer.udp.bind(5000);
  w.runUntil(() => false, 0.5);
  let natives = 0;
  w.machine.listen((kind) => {
    if (kind === EVENT_KINDS.native.kind) natives += 1;
  });
  for (let i = 0; i < 20; i += 1) {
    socket.send(OWN.ip, 7, Uint8Array.of(i));
    w.flush();
    let got = socket.receive();
    if (i === 19) expect(natives).toBe(0);
    w.runUntil(() => (got ??= socket.receive()) !== undefined, 1);
    expect(got?.data).toEqual(Uint8Array.of(i));
  }
  expect(w.finish(0).map(exitOf)).toEqual([0]);
});

test('wild arguments: an error code or the end of the process, and its neighbour goes on', async () => {
  const calls = [
    'udp_receive(0, 0, 100, 0, 1)',
    'udp_receive(0, 0x80000000, 100, 0, 1)',
    'udp_receive(0, memory.data(8), 0x7fffffff, 0xfffffff0, 1)',
    'udp_receive(0x7fffffff, 0, 100, 0, 1)',
    'udp_receive(0, memory.data(8), -1, 0, 1)',
    `udp_send(0, ${PEER.ip}, 5000, 0, 100)`,
    `udp_send(0, ${PEER.ip}, 5000, 0xfffffff0, 1472)`,
    `udp_send(0, ${PEER.ip}, 5000, 0x7e0000, 0x7fffffff)`,
    `udp_send(-1, ${PEER.ip}, 0, 0, 0)`,
    'udp_open(0x80000007) + udp_close(0x08000000)',
  ];
  for (const call of calls) {
    const w = world(bystander(), await compiled(`export function main(): i32 { udp_open(7); return ${call}; }`));
    const watch = new BystanderWatch(w.aegis, 0);
    const socket = w.peer.udp.bind(5000);
    let looks = 0;
    const ended = w.runUntil(() => {
      watch.look();
      looks += 1;
      if (looks % 100 === 0) {
        socket.send(OWN.ip, 7, new Uint8Array(60));
        w.flush();
      }
      return w.aegis.environment(1).status === 'dead';
    }, 5);
    expect([call, ended]).toEqual([call, true]);
    expect(watch.damage()).toEqual([]);
    expect(checkInvariants(w.aegis)).toEqual([]);
  }
});
