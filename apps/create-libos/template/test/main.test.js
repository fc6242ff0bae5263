/** What src/main.ts does on a machine, without and with a network. */
import { Network, Wire, memoryStore } from '@exokernel/hardware';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OWN, PEER, boot, compile, host } from '../host/machine.js';

const os = await compile(new URL('../src/main.ts', import.meta.url));

test('it greets, and ends where there is no network', () => {
  const world = boot([os.alone()]);
  assert.equal(world.finish(), 'exited with 0');
  assert.equal(world.printed(), 'my-libos: hello\nmy-libos: no network, so that is all\n');
});

/** A machine with the service, with a disk or not, and a client on its wire. */
function service(blocks = 0) {
  const wire = new Wire();
  const extent = blocks > 0 ? { extent: { start: 0, blocks } } : {};
  const disk = blocks > 0 ? { disk: { store: memoryStore(blocks * 4096) } } : {};
  const world = boot([os.alone({ station: OWN, ...extent })], { lance: { mac: OWN.mac, wire }, ...disk });
  const { stack, flush } = host(wire);
  const socket = stack.udp.bind(5000);
  // Until it listens.
  world.run(0.7);
  /** Asks, and waits a second for the answer: ticks, and how often it was asked. */
  const ask = () => {
    socket.send(OWN.ip, 37, new Uint8Array(1));
    flush();
    /** @type {ReturnType<typeof socket.receive>} */
    let answer;
    world.run(1, () => (answer ??= socket.receive()) !== undefined);
    assert.equal(world.ending(), undefined);
    assert.ok(answer, 'there is an answer');
    const view = new DataView(answer.data.buffer, answer.data.byteOffset);
    return { ticks: view.getInt32(0, true), count: view.getInt32(4, true) };
  };
  return { world, ask };
}

test('it tells the time, also when the kernel has taken frames back', () => {
  const { world, ask } = service();
  const first = ask();
  assert.equal(first.count, 1);
  world.run(1);
  const second = ask();
  assert.equal(second.count, 2);
  // 64 ticks are a second.
  assert.ok(second.ticks - first.ticks >= 64 && second.ticks - first.ticks < 70, `${second.ticks} − ${first.ticks}`);

  const held = world.frames();
  world.revoke(1);
  world.run(0.2);
  assert.equal(world.frames(), held - 1);
  assert.equal(ask().count, 1);
});

// It has one frame to give. The others are taken by force: those of its text, its memory and its packet rings.
for (const frames of [9, 17, 28, 60]) {
  test(`it tells the time, also when the kernel wants ${frames} frames`, () => {
    const { world, ask } = service(64);
    assert.equal(ask().count, 1);
    const held = world.frames();
    const asked = world.revoke(frames);
    world.run(0.2, () => world.frames() <= held - asked);
    assert.equal(world.frames(), held - asked);
    // What it needs is read from the disk again, and the rings are bound anew.
    world.run(1);
    assert.equal(ask().count, 1);
    assert.equal(ask().count, 2);
    assert.throws(() => world.revoke(0), /for no frames/);
  });
}

test('a client on another machine asks three times', async () => {
  const client = await compile(new URL('../src/ask.ts', import.meta.url));
  const wire = new Wire();
  const service = boot([os.alone({ station: OWN })], { lance: { mac: OWN.mac, wire } });
  const world = boot([client.alone({ station: PEER })], { lance: { mac: PEER.mac, wire } });
  // Machines on one wire advance together: in steps of 10 ms, for at most 5 s, and then for the line.
  const network = new Network([service.machine, world.machine]);
  for (let i = 0; i < 500 && world.ending() === undefined; i += 1) network.run(10_000_000);
  network.run(250_000_000);
  assert.equal(world.ending(), 'exited with 0');
  assert.equal(world.printed(), 'answer 1\nanswer 2\nanswer 3\n');
});
