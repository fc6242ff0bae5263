/**
 * The demo's machine: one DECstation with a disk and a network, Aegis, and five environments on four library operating systems
 * side by side.
 */
import { ENV, ENV_BYTES, EXPOSED, PAGE_BYTES, type Image } from '@exokernel/abi';
import { Aegis } from '@exokernel/aegis';
import { batch } from '@exokernel/batch';
import { CHEETAH_STATE, CHEETAH_STATUS, cheetah, formatSite } from '@exokernel/cheetah';
import { compiledMatmul, demoSite, echo, hostile, pipeTalk } from '@exokernel/demos';
import { exos } from '@exokernel/exos';
import { Machine, Wire, memoryStore, type BlockStore } from '@exokernel/hardware';
import { compose } from '@exokernel/libos-kit';
import { parseIpv4 } from '@exokernel/net';
import { KSEG0 } from '@exokernel/isa';

export const HTTP_PORT = 80;
export const ECHO_PORT = 7;

interface Host {
  readonly mac: Uint8Array;
  readonly ip: number;
}

/** Addresses on the machine's wire. 08-00-2B is Digital's. */
export const NETWORK: {
  readonly netmask: number;
  readonly machine: Host;
  readonly gateway: Host;
  readonly peer: Host;
} = {
  netmask: parseIpv4('255.255.255.0'),
  machine: { mac: Uint8Array.of(0x08, 0x00, 0x2b, 0x00, 0x00, 0x02), ip: parseIpv4('10.0.0.2') },
  gateway: { mac: Uint8Array.of(0x02, 0x00, 0x00, 0x00, 0x00, 0x01), ip: parseIpv4('10.0.0.1') },
  peer: { mac: Uint8Array.of(0x02, 0x00, 0x00, 0x00, 0x00, 0x03), ip: parseIpv4('10.0.0.3') },
};

const SECTOR_BYTES = 512;
/** Serial line of the console [KN01: line 3]. */
const CONSOLE_LINE = 3;

export interface World {
  readonly machine: Machine;
  readonly wire: Wire;
  readonly aegis: Aegis;
  /** Environments by role. */
  readonly env: { readonly [R in Role]: number };
  /** What came out of the console so far. */
  console(): string;
  /** A word of an environment's u-page, as an observer outside the machine sees it; `undefined` once it is gone. */
  uWord(env: number, address: number): number | undefined;
  isServing(): boolean;
}

export type Role = 'cheetah' | 'matmul' | 'talk' | 'echo' | 'hostile';

/** The site that is on the demo's own disk. */
export function siteStore(): BlockStore {
  return memoryStore(formatSite(demoSite()));
}

/** A machine and a wire that are as fast as the host can follow, instead of those of their time. */
export interface Serving {
  /** Cycles per second of the machine. */
  readonly hz: number;
}

const SERVING_BANDWIDTH = 1e9;
/** Assumption: the kernel and the server take a frame out of the controller's 16 buffers within so many cycles, on average. */
const CYCLES_PER_FRAME = 3000;

/** Builds the machine and loads every environment. Nothing has run yet. Throws `HardwareError` `clock`. */
export function createWorld(store: BlockStore, serving?: Serving): World {
  const wire = new Wire(
    serving === undefined
      ? {}
      : { bandwidth: SERVING_BANDWIDTH, gapMicroseconds: (CYCLES_PER_FRAME / serving.hz) * 1e6 },
  );
  let text = '';
  const machine = new Machine({
    ...serving,
    lance: { mac: NETWORK.machine.mac, wire, geometry: 'linear' },
    disk: { store },
    serial: (line, byte) => {
      if (line === CONSOLE_LINE) text += String.fromCharCode(byte);
    },
  });
  const aegis = new Aegis(machine);
  const { machine: self, netmask } = NETWORK;
  const server: Image = cheetah({
    ...self,
    netmask,
    port: HTTP_PORT,
    seed: 1,
    extent: { start: 0, blocks: Math.floor((store.blocks * SECTOR_BYTES) / PAGE_BYTES) },
    placement: { slices: 2 },
  });
  const uPage = (env: number): number =>
    machine.memory.load32(EXPOSED.environments + env * ENV_BYTES + ENV.uPage) - KSEG0;
  const webServer = aegis.load(server);
  const multiplying = aegis.load(compose(batch, compiledMatmul(), { slices: 3 }));
  const talking = aegis.load(compose(exos, pipeTalk, { serialLine: CONSOLE_LINE }));
  const echoing = aegis.load(echo({ ip: self.ip, port: ECHO_PORT }));
  const attacking = aegis.load(hostile(uPage(multiplying) / PAGE_BYTES));
  const env = { cheetah: webServer, matmul: multiplying, talk: talking, echo: echoing, hostile: attacking };
  const uWord = (id: number, address: number): number | undefined => {
    const physical = uPage(id);
    return physical < 0 ? undefined : machine.memory.load32(physical + (address % PAGE_BYTES)) | 0;
  };
  return {
    machine,
    wire,
    aegis,
    env,
    console: () => text,
    uWord,
    isServing: () => uWord(env.cheetah, CHEETAH_STATUS.state) === CHEETAH_STATE.serving,
  };
}
