/** Machine time until Cheetah serves a site, from power-on. */
import { ENV, ENV_BYTES, EXPOSED, PAGE_BYTES } from '@exokernel/abi';
import { Aegis } from '@exokernel/aegis';
import { CHEETAH_STATE, CHEETAH_STATUS, cheetah, formatSite } from '@exokernel/cheetah';
import { Machine, Wire, memoryStore } from '@exokernel/hardware';
import { KSEG0 } from '@exokernel/isa';
import { NETWORK } from '../../src/demo/world.ts';

const MOST_SECONDS = 60;

/** Seconds for a site of one file of so many bytes, on the default drive, at 25 MHz. */
export function loadTime(bytes: number): number {
  const site = formatSite([{ path: '/file', type: 'text/plain', body: new Uint8Array(bytes) }]);
  const machine = new Machine({
    lance: { mac: NETWORK.machine.mac, wire: new Wire() },
    disk: { store: memoryStore(site) },
  });
  const extent = { start: 0, blocks: site.length / PAGE_BYTES };
  const aegis = new Aegis(machine);
  const env = aegis.load(cheetah({ ...NETWORK.machine, netmask: NETWORK.netmask, port: 80, seed: 1, extent }));
  const word = (at: number): number => {
    const uPage = (machine.memory.load32(EXPOSED.environments + env * ENV_BYTES + ENV.uPage) >>> 0) - KSEG0;
    return uPage < 0 ? 0 : machine.memory.load32(uPage + (at % PAGE_BYTES));
  };
  while (word(CHEETAH_STATUS.state) !== CHEETAH_STATE.serving && machine.cycles < MOST_SECONDS * machine.hz)
    machine.run(10_000);
  return machine.cycles / machine.hz;
}
