/**
 * The wire of a machine on the command line: a link out of the simulation (`--net`) and a capture of it (`--pcap`).
 *
 *     stream:unix:<path>, stream:tcp:<host>:<port>            connects: to passt, to QEMU's `-netdev stream`, to `listen`
 *     listen:unix:<path>, listen:tcp:<host>:<port>            waits for one peer, while the machine runs
 *     udp:<host>:<port>:<host>:<port>                         one datagram a frame, own address first
 *     ws://<host>/<path>, wss://…                             one binary message a frame
 *
 * A host may be left out: then it is this one. A link that ends is told of, and the machine goes on.
 */
import { captureFile, type CaptureFile } from '@exokernel/capture/node';
import { captureWire, Wire, webSocketLink, type Link } from '@exokernel/wire';
import {
  connectStream,
  datagramLink,
  listenStream,
  type DatagramAddress,
  type StreamAddress,
} from '@exokernel/wire/node';
import { UsageError } from './error.ts';
import { isRefusal, orRefuse } from './refusal.ts';
import type { MachineSettings } from './run-options.ts';

/** A wire with what the options have put on it. */
export interface RunNetwork {
  readonly wire: Wire;
  /** Whether a peer outside is on it: then the machine must not be faster than the host's clock. */
  readonly isOutside: boolean;
  /** Throws `UsageError` if the capture could not be written. */
  readonly close: () => void;
}

/** Offset of a frame's sender. */
const SOURCE = 6;

/** Says something to the user. */
type Say = (text: string) => void;

/** What a link is to be put on. */
interface On {
  readonly wire?: Wire;
  /** The station whose frames go out; all do, unless it is given. */
  readonly from?: Uint8Array;
}

/** The wire, with what the options ask for on it; `undefined` if they ask for nothing. Throws `UsageError`. */
export async function openNetwork(
  { net, pcap, replay }: Partial<Pick<MachineSettings, 'net' | 'pcap' | 'replay'>>,
  say: Say,
  { wire = new Wire(), from }: On = {},
): Promise<RunNetwork | undefined> {
  if (net === undefined && pcap === undefined) return undefined;
  const isOutside = net !== undefined && replay === undefined;
  let capture: CaptureFile | undefined;
  let close: () => void = () => undefined;
  try {
    capture = pcap === undefined ? undefined : captureFile(pcap);
    if (capture !== undefined) {
      captureWire(wire, capture.writer, { name: 'eth0', epoch: Math.floor(Date.now() / 1000) });
    }
    // A replay has its frames from its recording.
    if (isOutside) close = await openLink({ wire, from }, net, say);
  } catch (error) {
    capture?.close();
    throw isRefusal(error) ? new UsageError(`${net ?? pcap ?? ''}: ${error.message}`) : error;
  }
  return {
    wire,
    isOutside,
    close: () => {
      close();
      orRefuse(pcap ?? '', () => capture?.close());
    },
  };
}

/** Puts the link on the wire; returns what closes it. */
async function openLink(
  { wire, from }: { readonly wire: Wire; readonly from: Uint8Array | undefined },
  spec: string,
  say: Say,
): Promise<() => void> {
  const watched = (link: Link): (() => void) => {
    if (from !== undefined) link.passes = (frame) => from.every((byte, i) => frame[SOURCE + i] === byte);
    return watch(link, spec, say);
  };
  if (/^wss?:\/\//.test(spec)) return watched(webSocketLink(wire, openWebSocket(spec)));
  const [kind, ...rest] = spec.split(':');
  if (kind === 'stream') return watched(await connectStream(wire, streamAddress(rest, spec)));
  if (kind === 'listen') {
    const { address, peer, close } = await listenStream(wire, streamAddress(rest, spec));
    say(`waiting for a peer at ${'path' in address ? address.path : `${address.host ?? ''}:${address.port}`}`);
    let end = close;
    void peer.then((link) => {
      end = watched(link);
    });
    return () => {
      end();
    };
  }
  if (kind === 'udp') {
    const [local, remote, ...more] = addresses(rest);
    if (local === undefined || remote === undefined || more.length > 0) throw noSuch(spec);
    const { link } = await datagramLink(wire, local, remote);
    return watched(link);
  }
  throw noSuch(spec);
}

/** Tells when the link ends by itself; returns what ends it. */
function watch(link: Link, spec: string, say: Say): () => void {
  let isOurs = false;
  void link.closed.then((error) => {
    if (!isOurs) say(`${spec}: ${error?.message ?? 'the peer has closed the link'}`);
  });
  return () => {
    isOurs = true;
    link.close();
  };
}

function openWebSocket(url: string): WebSocket {
  try {
    return new WebSocket(url);
  } catch (error) {
    throw new UsageError(`--net ${url}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function streamAddress([family, ...rest]: readonly string[], spec: string): StreamAddress {
  const path = rest.join(':');
  if (family === 'unix' && path !== '') return { path };
  const [address, ...more] = family === 'tcp' ? addresses(rest) : [];
  if (address === undefined || more.length > 0) throw noSuch(spec);
  return address;
}

/** Ports, each after its host if that is given; nothing if that cannot be read. */
function addresses(parts: readonly string[]): DatagramAddress[] {
  const found: DatagramAddress[] = [];
  for (let at = 0; at < parts.length; at += 1) {
    const host = /^\d+$/.test(parts[at] ?? '') ? undefined : parts[at];
    if (host !== undefined) at += 1;
    const port = Number(parts[at] ?? '');
    if (host === '' || !/^\d+$/.test(parts[at] ?? '') || port > 65535) return [];
    found.push(host === undefined ? { port } : { port, host });
  }
  return found;
}

function noSuch(spec: string): UsageError {
  return new UsageError(
    `--net ${spec}: use stream:unix:<path>, stream:tcp:<host>:<port>, listen: likewise, ` +
      'udp:<host>:<port>:<host>:<port>, or ws://<host>/<path>',
  );
}
