/** What the interfaces of src/main.ts promise: programs of the suite run on it, beside environments that run wild, and while frames are asked back. */
import { conformance } from '@exokernel/conformance';
import { Wire, memoryStore } from '@exokernel/hardware';
import { test } from 'node:test';
import { boot, compile } from '../host/machine.js';

const os = await compile(new URL('../src/main.ts', import.meta.url), ['clock', 'console', 'memory', 'udp']);

/** @type {import('@exokernel/conformance').Boot} */
const machines = (images, { disk, mac }) => {
  const wire = new Wire();
  const { machine, aegis, serial } = boot(images, {
    ...(disk && { disk: { store: memoryStore(disk) } }),
    ...(mac && { lance: { mac, wire } }),
  });
  return {
    run: (ticks) => machine.run(Math.ceil((ticks * machine.hz) / 64)),
    environment: (id) => {
      const { exit, cause } = aegis.environment(id);
      return { exit: cause?.kind === 'exit' ? exit : undefined, ending: cause?.text };
    },
    serial,
    framesFree: () => aegis.framesFree,
    revoke: (id, frames) => aegis.parts.revocation.ask(id, 0, frames),
    revokeSlices: (id, slices) => aegis.parts.revocation.ask(id, 1, slices),
    wire,
    powerCut: () => machine.powerCut(),
  };
};

for (const { name, run } of conformance(os, machines, { programs: ['machine'] })) test(name, run);
