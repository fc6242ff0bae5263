/** Handlers of a library operating system in AssemblyScript: the kernel answers, and the environment sleeps. */
import { EVENT_KINDS, Wire } from '../../hardware/src/index.ts';
import { encodeHandler, udpEcho } from '../../ash/src/index.ts';
import { NetworkStack, frameBytes } from '../../net/src/index.ts';
import { boot, exitOf } from '../../testkit/src/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import { expect, test } from 'vitest';
import { LIBRARY_MEMORY, compiledLibOs, compiledLibrary } from '../src/index.ts';
import { kitSource } from '../src/node/index.ts';

const KIT = '@exokernel/libos-kit/assembly';
const OWN = { ip: 0x0a000001, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 1), netmask: 0xffffff00 };
const PEER = { ip: 0x0a000002, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 2), netmask: 0xffffff00, seed: 1 };
const PORT = 7;

const source = (handler: Uint8Array): string => `
import { E, PAGE_BYTES, POLICY } from '${KIT}/abi';
import { capabilityAt } from '${KIT}/capability';
import { FILTER_FRAME, RECEIVE, filterPage, openNetwork } from '${KIT}/ethernet';
import { Filter } from '${KIT}/filter';
import { attachHandler, setWindow } from '${KIT}/handler';
import { clock_ticks } from '${KIT}/clock';
import { load32, sleep } from '${KIT}/kit';
import { copy } from '${KIT}/packet';
const HANDLER: StaticArray<u8> = [${handler.join()}];
const BOUND = memory.data(20);
export function main(): i32 {
  let code = openNetwork();
  if (code < 0) return code;
  const filter = Filter.at(filterPage).eq(12, 2, 0x800).masked(20, 4, 0x3fff00ff, 17).eq(30, 4, ${OWN.ip}).skip(14, 1, 15, 2).eq(16, 2, ${PORT});
  code = filter.bind(FILTER_FRAME, RECEIVE.capability, POLICY.specific, BOUND);
  if (code < 0) return code;
  const bound = capabilityAt(BOUND + 4);
  const window = (heap.alloc(2 * PAGE_BYTES) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
  if (attachHandler(bound, filterPage + 4, 100) != E.RANGE || attachHandler(bound, 0, 100) != E.RANGE) return 1;
  if (attachHandler(bound, filterPage, PAGE_BYTES + 1) != E.RANGE || setWindow(bound, window + 1) != E.RANGE) return 2;
  copy(filterPage, changetype<usize>(HANDLER), HANDLER.length);
  if (attachHandler(bound, filterPage, HANDLER.length - 1) >= 0) return 3;
  code = setWindow(bound, window);
  if (code == 0) code = attachHandler(bound, filterPage, HANDLER.length);
  if (code < 0) return code;
  while (load32(window) < 3) sleep(clock_ticks() + 32);
  return load32(window);
}`;

test('a handler answers, and counts in its window', async () => {
  const text = source(encodeHandler(udpEcho({ ip: OWN.ip, port: PORT, counterOffset: 0 })));
  const { wasm, diagnostics } = await compileAssemblyScript(
    (file) => (file === 'main.ts' ? text : kitSource(file)),
    'main.ts',
    { memoryBase: LIBRARY_MEMORY, exportTable: true },
  );
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  const wire = new Wire();
  const peer = new NetworkStack(PEER);
  const station = wire.attach({
    receive: (frame, time) => {
      peer.receive(frame, time / 1e6);
    },
  });
  const image = compiledLibOs([], compiledLibrary('handler', wasm)).alone({ station: OWN });
  const booted = boot([image], { lance: { mac: OWN.mac, wire } });
  booted.runUntil(() => false, 0.5);
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'runnable' });
  let natives = 0;
  booted.machine.listen((kind) => {
    if (kind === EVENT_KINDS.native.kind) natives += 1;
  });
  const socket = peer.udp.bind(5000);
  const flush = (): void => {
    peer.transmit((frame) => station.send(frameBytes(frame)), peer.now);
  };
  // The environment sleeps, and answers no ARP: the peer learns its address from a question of its own.
  peer.receive(question(), 0);
  for (let i = 0; i < 3; i += 1) {
    socket.send(OWN.ip, PORT, Uint8Array.of(i));
    flush();
    let got = socket.receive();
    booted.runUntil(() => (got ??= socket.receive()) !== undefined, 1);
    expect(got).toEqual({ ip: OWN.ip, port: PORT, data: Uint8Array.of(i) });
    // The environment has not looked yet: no other made the answers.
    expect(natives).toBe(0);
  }
  expect(booted.finish(0).map(exitOf)).toEqual([3]);
});

/** What the environment's own stack would ask with. */
function question(): Uint8Array {
  const stack = new NetworkStack({ ...OWN, seed: 2 });
  stack.udp.bind(1).send(PEER.ip, 1, new Uint8Array(1));
  const frames: Uint8Array[] = [];
  stack.transmit((frame) => frames.push(frameBytes(frame)) > 0, 0);
  const last = frames.at(-1);
  if (last === undefined) throw new Error('it asks nothing');
  return last;
}
