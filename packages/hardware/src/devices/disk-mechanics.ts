/**
 * How long a disk takes: the arm's seek, the platter's rotation, the transfer, the change of heads.
 *
 * The model and its numbers are those of the HP 97560 in [RUEMMLER94]: 19 heads, 72 sectors a track, 4002 rpm, and a seek
 * of d cylinders in 3.24 + 0.400 sqrt(d) ms below 383 cylinders, 8.00 + 0.008 d ms from there on; sectors are skewed so that
 * a sequential transfer goes on after a head switch (1.6 ms) or a step to the next cylinder. The number of cylinders
 * follows from the size of the store.
 *
 * Assumption: writes take as long as reads, and the drive has neither cache nor read-ahead nor controller overhead.
 */
import { HardwareError } from '../error.ts';
import type { StateStream } from '../state/state-stream.ts';

/** A drive's shape. */
export interface DiskGeometry {
  /** Tracks of a cylinder, 1 to 255. Default 19. */
  readonly heads?: number;
  /** Sectors of a track, 1 to 255. Default 72. */
  readonly sectorsPerTrack?: number;
  /** Revolutions per minute, 60 to 60000. Default 4002. */
  readonly rpm?: number;
}

/** Time to change heads. The skew covers it, so it costs the wait for the skewed sector and nothing else. */
const HEAD_SWITCH = 1.6e-3;

/** The part of a sector that a head may be late: a microsecond of the default drive, a cycle of the slowest clock. It is gap. */
const ROUNDED = 5e-3;

/** Time to move the arm over `distance` cylinders, in seconds. */
export function seekSeconds(distance: number): number {
  if (distance === 0) return 0;
  return distance < 383 ? (3.24 + 0.4 * Math.sqrt(distance)) * 1e-3 : (8 + 0.008 * distance) * 1e-3;
}

/** One drive. Times are in seconds. */
export class DiskMechanics {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
  readonly sectorsPerCylinder: number;
  readonly #revolution: number;
  readonly #trackSkew: number;
  readonly #cylinderSkew: number;
  #arm = 0;

  /** Throws `disk-geometry` for a shape out of range. */
  constructor(sectors: number, { heads = 19, sectorsPerTrack = 72, rpm = 4002 }: DiskGeometry = {}) {
    const inRange = (value: number, low: number, high: number): boolean =>
      Number.isInteger(value) && value >= low && value <= high;
    if (!inRange(heads, 1, 255) || !inRange(sectorsPerTrack, 1, 255) || !inRange(rpm, 60, 60_000)) {
      const details = { heads, sectorsPerTrack, rpm };
      throw new HardwareError('disk-geometry', `no drive has ${JSON.stringify(details)}`, details);
    }
    this.heads = heads;
    this.sectorsPerTrack = sectorsPerTrack;
    this.sectorsPerCylinder = heads * sectorsPerTrack;
    this.cylinders = Math.ceil(sectors / this.sectorsPerCylinder);
    this.#revolution = 60 / rpm;
    this.#trackSkew = Math.ceil((HEAD_SWITCH * sectorsPerTrack) / this.#revolution);
    const step = Math.ceil((seekSeconds(1) * sectorsPerTrack) / this.#revolution);
    this.#cylinderSkew = (heads - 1) * this.#trackSkew + step;
  }

  /** The cylinder that the arm is at, or moves to. */
  get arm(): number {
    return this.#arm;
  }

  state(s: StateStream): void {
    this.#arm = s.integer(this.#arm, 0, this.cylinders - 1);
  }

  /** Moves the arm and transfers `count` sectors from `sector` on, beginning at time `start`; returns how long it takes. */
  service(sector: number, count: number, start: number): number {
    let time = start;
    let next = sector;
    for (let left = count; left > 0;) {
      const cylinder = Math.floor(next / this.sectorsPerCylinder);
      const inCylinder = next % this.sectorsPerCylinder;
      const inTrack = inCylinder % this.sectorsPerTrack;
      if (cylinder !== this.#arm) time += seekSeconds(Math.abs(cylinder - this.#arm));
      this.#arm = cylinder;
      time += this.#rotationTo(cylinder, (inCylinder - inTrack) / this.sectorsPerTrack, inTrack, time);
      const run = Math.min(left, this.sectorsPerTrack - inTrack);
      time += (run * this.#revolution) / this.sectorsPerTrack;
      next += run;
      left -= run;
    }
    return time - start;
  }

  /** Time until the sector comes under its head. */
  #rotationTo(cylinder: number, head: number, sector: number, time: number): number {
    const track = this.sectorsPerTrack;
    const angle = (sector + head * this.#trackSkew + cylinder * this.#cylinderSkew) % track;
    const now = ((time / this.#revolution) % 1) * track;
    // A little past the start of the sector still counts as its start: times are rounded, to cycles at most.
    const wait = (angle - now + 2 * track + ROUNDED) % track;
    return (Math.max(0, wait - ROUNDED) * this.#revolution) / track;
  }
}
