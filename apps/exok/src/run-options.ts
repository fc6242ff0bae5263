/** The options of a machine on the command line: those that `exok run` and `exok linux` share. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { MachineOptions } from '@exokernel/hardware';
import { integer } from './arguments.ts';

/** The largest --memory, in MiB. */
export const MEMORY_MOST = 256;

const MEMORY = 24;
const PROFILE = 'ideal';
const DEFAULT_MAC = '08:00:2b:00:00:01';
const PROFILES = ['ideal', 'dec2100', 'dec3100', 'dec5000'] as const;
const ENGINES = ['interpreter', 'translator'] as const;

/** Adds them to a command. */
export function addMachineOptions(command: Command, profiles: readonly string[] = PROFILES): void {
  command
    .option('--memory <MiB>', `4 to ${MEMORY_MOST}`, integer(4, MEMORY_MOST), MEMORY)
    .addOption(
      new Option('--profile <name>', 'ideal takes one cycle an instruction, at 25 MHz')
        .choices(profiles)
        .default(PROFILE),
    )
    .option('--mhz <n>', 'clock of profile ideal, 1 to 4000 (default: 25)', integer(1, 4000))
    .addOption(new Option('--engine <name>', 'default: what the host can').choices(ENGINES))
    .option('--disk <file>', 'the virtio disk')
    .option(
      '--net <link>',
      'an Ethernet that leads out: stream:unix:<path>, stream:tcp:<host>:<port> (passt, QEMU), listen: likewise, ' +
        'udp:<host>:<port>:<host>:<port>, ws://<host>/<path>',
    )
    .addOption(
      new Option('--mac <address>', 'its station address')
        .argParser(stationAddress)
        .default(stationAddress(DEFAULT_MAC), DEFAULT_MAC),
    )
    .option('--pcap <file>', 'captures the Ethernet in a pcapng file')
    .option('--date <when>', 'what the real-time clock begins with: now, or a date such as 2026-11-30T12:00:00Z', date)
    .addOption(
      new Option('--record <file>', 'writes down all that comes in, from terminal and Ethernet').conflicts([
        'replay',
        'snapshot',
      ]),
    )
    .addOption(
      new Option(
        '--replay <file>',
        'runs with what was written down, and says whether it came to the same end',
      ).conflicts('snapshot'),
    )
    .option(
      '--snapshot <file>',
      'goes on from the snapshot, if there is one, and leaves one unless the program has ended',
    )
    .option('--seconds <n>', 'machine time after which to stop (default: never)', positive)
    .option('--json', 'the console goes to stderr, and stdout gets one JSON object: how it ended');
}

/** What commander makes of them; what is absent has its default. */
export interface MachineOptionValues {
  readonly memory?: number;
  readonly profile?: string;
  readonly mhz?: number;
  readonly engine?: string;
  readonly disk?: string;
  readonly net?: string;
  readonly mac?: Uint8Array;
  readonly pcap?: string;
  readonly date?: number;
  readonly record?: string;
  readonly replay?: string;
  readonly snapshot?: string;
  readonly seconds?: number;
  readonly json?: boolean;
}

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
  /** What the real-time clock begins with, in seconds since 1970. */
  readonly startTime: number | undefined;
  /** Seconds of the machine. */
  readonly seconds: number;
  readonly json: boolean;
}

export function machineSettings(values: MachineOptionValues): MachineSettings {
  const { engine, disk, net, pcap, record, replay, snapshot, date: startTime } = values;
  return {
    memory: values.memory ?? MEMORY,
    profile: (values.profile ?? PROFILE) as MachineSettings['profile'],
    hz: values.mhz === undefined ? undefined : 1e6 * values.mhz,
    engine: engine as MachineSettings['engine'],
    disk,
    net,
    pcap,
    record,
    replay,
    snapshot,
    mac: values.mac ?? stationAddress(DEFAULT_MAC),
    startTime,
    seconds: values.seconds ?? Infinity,
    json: values.json === true,
  };
}

/** Six bytes; the first is even, for an odd one is a group's. */
function stationAddress(text: string): Uint8Array {
  const bytes = /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? text.split(':').map((part) => parseInt(part, 16)) : [];
  if (bytes.length !== 6 || (bytes[0] ?? 0) % 2 === 1) {
    throw new InvalidArgumentError('Use six bytes such as 08:00:2b:00:00:01.');
  }
  return Uint8Array.from(bytes);
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Use a positive number.');
  return value;
}

/** Seconds since 1970. */
function date(text: string): number {
  const at = text === 'now' ? Date.now() : Date.parse(text);
  if (!(at >= 0)) throw new InvalidArgumentError('Use now, or a date since 1970 such as 2026-11-30T12:00:00Z.');
  return Math.floor(at / 1000);
}
