/**
 * The interrupt lines of the CPU: bits 2 to 7 of Cause.IP. Devices that share a line drive it together (a wired OR).
 */
import type { StateStream } from '../state/state-stream.ts';

/** The machine's own devices, of which each line has one at most. */
const OWN = 1;

export class InterruptLines {
  /** Of each line, a bit for every source that drives it. */
  readonly #levels = new Uint32Array(8);
  readonly #set: (line: number, level: boolean) => void;
  #sources = 1;

  /** `set` gives the CPU the level of a line. */
  constructor(set: (line: number, level: boolean) => void) {
    this.#set = set;
  }

  /** One of the machine's own devices drives its line. */
  drive(line: number, level: boolean): void {
    this.#drive(line, OWN, level);
  }

  /** One more source of a line: the function drives it. There may be 31. */
  source(line: number): (level: boolean) => void {
    const bit = 1 << this.#sources;
    this.#sources += 1;
    return (level) => {
      this.#drive(line, bit, level);
    };
  }

  state(s: StateStream): void {
    this.#levels.forEach((level, line) => {
      this.#levels[line] = s.integer(level, 0, 0xffffffff);
    });
  }

  #drive(line: number, bit: number, level: boolean): void {
    const before = this.#levels[line] ?? 0;
    const after = level ? before | bit : before & ~bit;
    this.#levels[line] = after;
    this.#set(line, after !== 0);
  }
}
