/**
 * Recordings: everything that entered a machine from the host, with its cycle. Given to a machine that begins the same, they
 * make it the same at every cycle.
 *
 * Inputs are what `serialInput` and `serialBreak` are given and what stations of the host send on its wire. A recording begins with the
 * machine's fingerprint, and ends with it: whether a replay has come to the same end is known. It holds what differs on the disk
 * from the image that the machine was given. What the host changes otherwise between runs (memory, registers, the cable) is not
 * recorded: do it before recording, and before replaying.
 */
import type { Attachment } from '@exokernel/wire';
import { HardwareError } from '../error.ts';
import { ENVELOPE_HEADER, refuse, seal, unwrap, type Envelope } from '../state/envelope.ts';
import type { Machine, RunResult } from './machine.ts';
import { MOST_CYCLES, StateReader, StateWriter, type StateStream } from '../state/state-stream.ts';

/** The version of the format. Others are refused. */
export const RECORDING_VERSION = 2;

const ENVELOPE: Envelope = { name: 'recording', magic: 'EXOKRECD', version: RECORDING_VERSION };
/** The `place` of a frame from the wire; lines are 0 to 3. */
const WIRE = 4;

/** The `place` of what an attached device is told. */
const DEVICE = 5;

/** One input: `fcs` is that of a frame that was sent with its own, else -1; `device` the name of one that is told something. */
interface Input {
  readonly cycle: number;
  readonly place: number;
  readonly device: string;
  readonly fcs: number;
  readonly bytes: Uint8Array;
}

interface Contents {
  readonly start: string;
  readonly startCycle: number;
  readonly inputs: readonly Input[];
  readonly end: string;
  readonly endCycle: number;
}

const NOTHING: Contents = { start: '', startCycle: 0, inputs: [], end: '', endCycle: 0 };

/** Walks a recording, but for what is on the disk. Inputs come in the order of their cycles, all of them in the recording's time. */
function contentsState(s: StateStream, contents: Contents): Contents {
  const start = s.text(contents.start);
  const startCycle = s.integer(contents.startCycle, 0, MOST_CYCLES);
  const endCycle = s.integer(contents.endCycle, startCycle, MOST_CYCLES);
  let before = startCycle;
  const inputs = s.list(contents.inputs, (input) => {
    before = s.integer(input?.cycle ?? 0, before, endCycle);
    return {
      cycle: before,
      place: s.integer(input?.place ?? 0, 0, DEVICE),
      device: s.text(input?.device ?? ''),
      fcs: s.integer(input?.fcs ?? -1, -1, 0xffffffff),
      bytes: s.blob(input?.bytes ?? new Uint8Array(0)),
    };
  });
  return { start, startCycle, inputs, end: s.text(contents.end), endCycle };
}

/** Records a machine from now on. It must be alone on its wire: throws `recording`. */
export class Recorder {
  readonly #machine: Machine;
  readonly #start: string;
  readonly #startCycle: number;
  /** What was on the disk when it began. */
  readonly #disk: Uint8Array;
  readonly #inputs: Input[] = [];
  readonly #leave: (() => void)[] = [];

  constructor(machine: Machine) {
    if ((machine.wire?.clocks.length ?? 0) > 1) {
      throw new HardwareError('recording', 'this machine shares its wire with others, whose frames would be missing');
    }
    this.#machine = machine;
    this.#start = machine.cpuFingerprint;
    this.#startCycle = machine.cycles;
    const disk = new StateWriter(ENVELOPE);
    machine.diskState(disk);
    this.#disk = disk.take();
    const enter = (place: number, bytes: Uint8Array, fcs = -1, device = ''): void => {
      this.#inputs.push({ cycle: machine.cycles, place, device, fcs, bytes: new Uint8Array(bytes) });
    };
    const entered = (to: number | string, bytes: Uint8Array): void => {
      if (typeof to === 'number') enter(to, bytes);
      else enter(DEVICE, bytes, -1, to);
    };
    this.#leave.push(machine.listenInputs(entered));
    const { wire } = machine;
    if (wire !== undefined) this.#leave.push(wire.listenInputs((frame, fcs) => enter(WIRE, frame, fcs)));
  }

  /** Ends the recording and gives its bytes. To be called once, between runs. */
  finish(): Uint8Array<ArrayBuffer> {
    for (const leave of this.#leave) leave();
    const machine = this.#machine;
    const writer = new StateWriter(ENVELOPE);
    writer.blob(this.#disk);
    contentsState(writer, {
      start: this.#start,
      startCycle: this.#startCycle,
      inputs: this.#inputs,
      end: machine.fingerprint,
      endCycle: machine.cycles,
    });
    const rest = writer.take();
    const bytes = new Uint8Array(ENVELOPE_HEADER + rest.length);
    bytes.set(rest, ENVELOPE_HEADER);
    return seal(ENVELOPE, bytes);
  }
}

/** Replays a recording on a machine that is as the recorded one was when it began. */
export class Replay {
  /** The cycle at which the recording ended. */
  readonly end: number;
  readonly #machine: Machine;
  readonly #contents: Contents;
  readonly #wire: Attachment | undefined;
  #next = 0;

  /** Throws `recording` for bytes that are none, or of a machine that began otherwise. */
  constructor(machine: Machine, recording: Uint8Array) {
    const reader = new StateReader(ENVELOPE, unwrap(ENVELOPE, recording));
    const disk = new StateReader(ENVELOPE, reader.blob());
    const contents = contentsState(reader, NOTHING);
    reader.finish();
    machine.diskState(disk);
    disk.finish();
    const { start, startCycle } = contents;
    const here = machine.cpuFingerprint;
    if (start !== here || startCycle !== machine.cycles) {
      const details = { start, startCycle, here, cycle: machine.cycles };
      refuse(
        ENVELOPE,
        `it begins in cycle ${startCycle} with ${start}, not in ${machine.cycles} with ${here}`,
        details,
      );
    }
    for (const { place, device } of contents.inputs) {
      if (place === DEVICE && !machine.hasDevice(device)) refuse(ENVELOPE, `it tells a device ${device}`, { device });
    }
    machine.takeDisk();
    this.#machine = machine;
    this.#contents = contents;
    this.end = contents.endCycle;
    // It stands for all stations that there were, and what those sent had room.
    const hears = { capacity: Infinity, receive: (): void => undefined };
    this.#wire = contents.inputs.some(({ place }) => place === WIRE) ? machine.wire?.attach(hears) : undefined;
  }

  /** Advances the machine by `cycles`, or to the recording's end, with its inputs. Throws as `Machine.run`. */
  run(cycles: number): RunResult {
    const machine = this.#machine;
    const target = Math.min(machine.cycles + cycles, this.end);
    const total = { cycles: 0, instructions: 0, idleCycles: 0 };
    const go = (cycle: number): void => {
      const result = machine.runTo(cycle);
      total.cycles += result.cycles;
      total.instructions += result.instructions;
      total.idleCycles += result.idleCycles;
    };
    for (;;) {
      const input = this.#contents.inputs[this.#next];
      if (input === undefined || input.cycle > target) break;
      go(input.cycle);
      this.#next += 1;
      if (input.place === WIRE) this.#wire?.send(input.bytes, input.fcs < 0 ? undefined : input.fcs);
      else if (input.place === DEVICE) machine.deviceInput(input.device, input.bytes);
      else if (input.bytes.length === 0) machine.serialBreak(input.place);
      else machine.serialInput(input.place, input.bytes);
    }
    go(target);
    if (machine.cycles >= this.end) this.#wire?.detach();
    return total;
  }

  /** Whether the recording's end was reached, and the machine is then what the recorded one was. Undefined before the end. */
  get agrees(): boolean | undefined {
    if (this.#machine.cycles < this.end) return undefined;
    return this.#machine.cycles === this.end && this.#machine.fingerprint === this.#contents.end;
  }
}
