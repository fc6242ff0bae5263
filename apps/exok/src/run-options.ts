/** The options of a machine on the command line: those that `exok run` and `exok linux` share. */
import type { MachineOptions } from '@exokernel/hardware';
import { integer } from './arguments.ts';
import { UsageError } from './error.ts';

/** The largest --memory, in MiB. */
export const MEMORY_MOST = 256;

/** For `parseArgs`. */
export const MACHINE_OPTIONS = {
  memory: { type: 'string', default: '24' },
  profile: { type: 'string', default: 'ideal' },
  mhz: { type: 'string' },
  engine: { type: 'string' },
  disk: { type: 'string' },
  net: { type: 'string' },
  mac: { type: 'string', default: '08:00:2b:00:00:01' },
  pcap: { type: 'string' },
  record: { type: 'string' },
  replay: { type: 'string' },
  snapshot: { type: 'string' },
  seconds: { type: 'string', default: 'Infinity' },
  json: { type: 'boolean', default: false },
} as const;

/** Their help. */
export const MACHINE_HELP = `    --memory <MiB>       4 to 256 (default 24)
    --profile <name>     dec2100, dec3100, dec5000, or ideal (the default): one cycle an instruction, 25 MHz
    --mhz <n>            clock of profile ideal, 1 to 4000 (default 25)
    --engine <name>      interpreter or translator (default: what the host can)
    --disk <file>        the virtio disk
    --net <link>         an Ethernet that leads out: stream:unix:<path>, stream:tcp:<host>:<port> (passt, QEMU),
                         listen: likewise, udp:<host>:<port>:<host>:<port>, ws://<host>/<path>
    --mac <address>      its station address (default 08:00:2b:00:00:01)
    --pcap <file>        captures the Ethernet in a pcapng file
    --record <file>      writes down all that comes in, from terminal and Ethernet
    --replay <file>      runs with what was written down, and says whether it came to the same end
    --snapshot <file>    goes on from the snapshot, if there is one, and leaves one unless the program has ended
    --seconds <n>        machine time after which to stop (default: never)
    --json               the console goes to stderr, and stdout gets one JSON object: how it ended
`;

/** What the options say. Files are only named. */
export interface MachineSettings {
  /** MiB. */
  readonly memory: number;
  /** The machine refuses what it does not know. */
  readonly profile: NonNullable<MachineOptions['profile']>;
  /** Cycles per second, if not those of the profile. */
  readonly hz: number | undefined;
  readonly engine: MachineOptions['engine'];
  readonly disk: string | undefined;
  /** Where the wire leads to (`run-network.ts`), and the file that it is captured in. */
  readonly net: string | undefined;
  readonly pcap: string | undefined;
  /** Files of what a run begins with and leaves (`run-session.ts`); one of them at most. */
  readonly record: string | undefined;
  readonly replay: string | undefined;
  readonly snapshot: string | undefined;
  readonly mac: Uint8Array;
  /** Seconds of the machine. */
  readonly seconds: number;
  readonly json: boolean;
}

type Values = { readonly [Option in keyof typeof MACHINE_OPTIONS]?: string | boolean | undefined };

/** Reads them. Throws `UsageError`. */
export function machineSettings(values: Values): MachineSettings {
  const given = (['record', 'replay', 'snapshot'] as const).filter((option) => values[option] !== undefined);
  if (given.length > 1) throw new UsageError(`--${given.join(' and --')}: use one of them`);
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new UsageError(`--seconds ${String(values.seconds)}: use a positive number`);
  return {
    memory: integer('memory', String(values.memory), 4, MEMORY_MOST),
    profile: values.profile as MachineSettings['profile'],
    hz: values.mhz === undefined ? undefined : 1e6 * integer('mhz', String(values.mhz), 1, 4000),
    engine: values.engine as MachineSettings['engine'],
    disk: values.disk as string | undefined,
    net: values.net as string | undefined,
    pcap: values.pcap as string | undefined,
    record: values.record as string | undefined,
    replay: values.replay as string | undefined,
    snapshot: values.snapshot as string | undefined,
    mac: stationAddress(String(values.mac)),
    seconds,
    json: values.json === true,
  };
}

/** Six bytes; the first is even, for an odd one is a group's. */
function stationAddress(text: string): Uint8Array {
  const bytes = /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? text.split(':').map((part) => parseInt(part, 16)) : [];
  if (bytes.length !== 6 || (bytes[0] ?? 0) % 2 === 1) {
    throw new UsageError(`--mac ${text}: use six bytes such as 08:00:2b:00:00:01`);
  }
  return Uint8Array.from(bytes);
}
