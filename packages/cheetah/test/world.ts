/** Cheetah on a booted machine, for tests. */
import type { Image } from '@exokernel/abi';
import { encodeUtf8 } from '@exokernel/libos-kit';
import { Wire, memoryStore, type BlockStore } from '../../hardware/src/index.ts';
import { boot, type Booted } from '../../testkit/src/index.ts';
import {
  CHEETAH_STATE,
  CHEETAH_STATUS,
  cheetah,
  formatSite,
  type CheetahOptions,
  type SiteFile,
} from '../src/index.ts';
import { MACHINE_IP, MACHINE_MAC, NETMASK, Reader, Station, type StationOptions } from './station.ts';

const PORT = 80;
export const BLOCKS = 1024;

export function serverImage(options: Partial<CheetahOptions> = {}): Image {
  return cheetah({
    mac: MACHINE_MAC,
    ip: MACHINE_IP,
    netmask: NETMASK,
    port: PORT,
    seed: 1,
    extent: { start: 0, blocks: BLOCKS },
    ...options,
  });
}

export function file(path: string, size: number): SiteFile {
  return { path, type: 'text/plain', body: Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >>> 8)) & 0xff) };
}

/** A disk of BLOCKS blocks that begins with this. */
export function disk(contents: Uint8Array): BlockStore {
  const bytes = new Uint8Array(BLOCKS * 4096);
  bytes.set(contents);
  return memoryStore(bytes);
}

export interface WorldOptions {
  readonly files?: readonly SiteFile[];
  readonly store?: BlockStore;
  /** Environments before the server, which is the last. */
  readonly others?: readonly Image[];
  readonly server?: Partial<CheetahOptions>;
  readonly ramBytes?: number;
}

/** A machine with a server on it; stations come on its wire as tests want them. */
export class World {
  readonly wire: Wire = new Wire();
  readonly booted: Booted;
  readonly server: number;
  readonly #stations: Station[] = [];

  constructor({ files = [], store, others = [], server, ...options }: WorldOptions = {}) {
    this.server = others.length;
    this.booted = boot([...others, serverImage(server)], {
      lance: { mac: MACHINE_MAC, wire: this.wire },
      disk: { store: store ?? disk(formatSite(files)) },
      ...options,
    });
  }

  station(options: StationOptions = {}): Station {
    const station = new Station(this.booted.machine, this.wire, options);
    this.#stations.push(station);
    return station;
  }

  word(name: keyof typeof CHEETAH_STATUS): number {
    return this.booted.uWord(this.server, CHEETAH_STATUS[name]);
  }

  /** Runs until it is done, or for `seconds` of the machine. */
  run(done: () => boolean, seconds = 10): boolean {
    return this.booted.runUntil(() => {
      for (const station of this.#stations) station.pump();
      return done();
    }, seconds);
  }

  /** Runs until the server serves. */
  serve(seconds = 10): boolean {
    return this.run(() => this.word('state') === CHEETAH_STATE.serving, seconds);
  }

  /** Lets so many seconds of the machine pass. */
  wait(seconds: number): void {
    this.run(() => false, seconds);
  }

  connect(station: Station, ...said: string[]): Reader {
    const reader = new Reader(station.stack.tcp.connect(MACHINE_IP, PORT));
    for (const text of said) reader.connection.write(encodeUtf8(text));
    return reader;
  }

  /** Fetches one file over a connection of its own. Returns the whole response. */
  fetch(station: Station, path: string, method = 'GET', seconds = 10): Uint8Array {
    const reader = this.connect(station, `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    this.run(() => {
      reader.read();
      return reader.connection.ended || reader.connection.finished;
    }, seconds);
    reader.connection.close();
    return reader.bytes;
  }
}

/** What the server answers for a file. */
export function response({ type, body }: SiteFile): Uint8Array {
  const header = `HTTP/1.1 200 OK\r\nServer: Cheetah\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Uint8Array.from([...encodeUtf8(header), ...body]);
}
