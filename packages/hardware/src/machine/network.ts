/**
 * Machines that advance together, so that frames between them arrive at exact cycles of each one's own clock.
 *
 * `run(n)` and n times `run(1)` leave the same machines, and so does another order of the machines: a wire puts a frame on
 * itself only when every machine has passed the moment at which it was sent. Machines run in steps no longer than the
 * shortest time in which one can notice another: a smallest frame's, counted from the earliest moment at which one can send
 * or, if the wire is busy, from its end. A machine that waits for an interrupt cannot send before its next event, so that
 * idle machines take long steps (conservative lookahead [CHANDY79]).
 *
 * Stations of the host on a wire with several machines hear and answer at exact times too, but after machines have run
 * past them: they must go by the time they are given. Do not run a machine of a network by itself.
 */
import { TimeBase, type Wire } from '@exokernel/wire';
import { HardwareError } from '../error.ts';
import type { Machine } from './machine.ts';
import { loadSnapshot, saveSnapshot, type Stateful } from '../state/snapshot.ts';

interface Member {
  readonly machine: Machine;
  readonly base: TimeBase;
}

/** The machines on one or more wires. */
export class Network {
  readonly #members: readonly Member[];
  /** Those with several machines; the others run on their machine's clock. */
  readonly #wires: readonly { readonly wire: Wire; readonly members: readonly Member[] }[];
  #now: number;

  /** Throws `network` without a machine, and unless it has all the machines of each wire. */
  constructor(machines: readonly Machine[]) {
    this.#members = machines.map((machine) => {
      const { wire, clock } = machine;
      return { machine, base: wire?.baseOf(clock) ?? new TimeBase(clock, 0) };
    });
    if (machines.length === 0) throw new HardwareError('network', 'a network has at least one machine');
    const wires = new Set(machines.flatMap(({ wire }) => (wire === undefined ? [] : [wire])));
    this.#wires = [...wires]
      .map((wire) => ({ wire, members: this.#members.filter(({ machine }) => machine.wire === wire) }))
      .filter(({ wire }) => wire.clocks.length > 1);
    this.#now = Math.min(...this.#members.map(({ base }) => base.now));
    this.#check();
  }

  /** Nanoseconds; a machine's time is its cycles, from when it was put on its wire. */
  get now(): number {
    return this.#now;
  }

  /**
   * Advances all machines by `nanoseconds` (a non-negative integer). Throws `budget`, `network` when a wire has got another
   * machine, and what a machine's `run` throws; the next run then goes on from there.
   */
  run(nanoseconds: number): void {
    if (!Number.isSafeInteger(nanoseconds) || nanoseconds < 0) {
      throw new HardwareError('budget', `cannot run ${nanoseconds} ns: use a non-negative integer`, { nanoseconds });
    }
    this.#check();
    const target = this.#now + nanoseconds;
    while (this.#now < target) {
      let horizon = target;
      for (const { wire, members } of this.#wires) horizon = Math.min(horizon, wire.horizon(earliest(members)));
      for (const { machine, base } of this.#members) machine.runTo(base.cycleOf(horizon));
      for (const { wire } of this.#wires) wire.settle(horizon);
      this.#now = horizon;
    }
  }

  /** All its machines and wires as they are now. Throws `snapshot` as a machine's does. */
  snapshot(base?: Uint8Array): Uint8Array<ArrayBuffer> {
    return saveSnapshot(this.#parts(), base);
  }

  /** Becomes what a network of the same machines was. Throws `snapshot`, with nothing changed, for anything else. */
  restore(snapshot: Uint8Array, base?: Uint8Array): void {
    loadSnapshot(snapshot, this.#parts(), base);
  }

  #parts(): Stateful[] {
    const wires = [...new Set(this.#members.flatMap(({ machine: { wire } }) => (wire === undefined ? [] : [wire])))];
    // Which wire each is on, and as which machine.
    const places = this.#members.map(({ machine: { wire, clock } }) =>
      wire === undefined ? 'none' : `${wires.indexOf(wire)}.${wire.clocks.indexOf(clock)}`,
    );
    const own: Stateful = {
      description: `a network of ${places.length} (${places.join(', ')})`,
      state: (s) => {
        const time = (value: number, what: string): number => {
          const found = s.number(value);
          return Number.isFinite(found) ? found : s.refuse(`the ${what} of a network is ${found}`, { found });
        };
        const now = time(this.#now, 'time');
        // The wire saves those of its machines too.
        const origins = this.#members.map(({ base }) => time(base.origin, 'origin'));
        this.#now = now;
        this.#members.forEach(({ base }, i) => (base.origin = origins[i] ?? base.origin));
      },
    };
    return [own, ...this.#members.flatMap(({ machine }) => machine.stateful), ...wires];
  }

  #check(): void {
    for (const { machine } of this.#members) {
      const stranger = machine.wire?.clocks.find((clock) => !this.#members.some(({ base }) => base.clock === clock));
      if (stranger === undefined) continue;
      throw new HardwareError('network', 'a wire has a machine that is not in this network: give it all of them');
    }
  }
}

/** The earliest time at which one of these can send. */
function earliest(members: readonly Member[]): number {
  let time = Infinity;
  for (const { machine, base } of members) {
    const { quietUntil } = machine;
    if (quietUntil < Infinity) time = Math.min(time, base.timeOf(quietUntil));
  }
  return time;
}
