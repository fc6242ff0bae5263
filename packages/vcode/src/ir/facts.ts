/**
 * What is known about regions at a point of a function: how long each is at least, and how far it reaches beyond a local.
 *
 * A region never gets shorter during a run, so a test that has passed on every way to here need not be repeated [DPF96, bounds-check
 * aggregation]. Facts only ever leave tests out; a missing fact costs a test, never safety.
 */
/** So many locals are known at once: facts are copied wherever ways part. Assumption: functions of people have fewer. */
const MOST_SPANS = 256;

export class Facts {
  /** By region: bytes it certainly has. */
  readonly #floors: Map<number, number>;
  /** By local and region: bytes the region certainly has from the local's value on. */
  readonly #spans: Map<number, number>;
  readonly #regions: number;

  constructor(regions: number, floors: Map<number, number> = new Map(), spans: Map<number, number> = new Map()) {
    this.#regions = regions;
    this.#floors = floors;
    this.#spans = spans;
  }

  copy(): Facts {
    return new Facts(this.#regions, new Map(this.#floors), new Map(this.#spans));
  }

  /** The region has at least this many bytes. */
  floor(region: number): number {
    return this.#floors.get(region) ?? 0;
  }

  /** The region has at least this many bytes from the local on; -1 if nothing is known (it may lie outside). */
  span(region: number, local: number): number {
    return this.#spans.get(local * this.#regions + region) ?? -1;
  }

  learnFloor(region: number, bytes: number): void {
    if (bytes > this.floor(region)) this.#floors.set(region, bytes);
  }

  learnSpan(region: number, local: number, bytes: number): void {
    const key = local * this.#regions + region;
    const known = this.#spans.get(key);
    if (bytes > (known ?? -1) && (known !== undefined || this.#spans.size < MOST_SPANS)) this.#spans.set(key, bytes);
    this.learnFloor(region, bytes);
  }

  /** The local got another value. */
  forget(local: number): void {
    for (let region = 0; region < this.#regions; region += 1) this.#spans.delete(local * this.#regions + region);
  }

  /** What holds on both ways; a way that does not arrive (`undefined`) does not count. */
  static meet(a: Facts | undefined, b: Facts | undefined): Facts | undefined {
    if (a === undefined || b === undefined) return a ?? b;
    return new Facts(a.#regions, least(a.#floors, b.#floors), least(a.#spans, b.#spans));
  }
}

function least(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): Map<number, number> {
  const both = new Map<number, number>();
  for (const [known, bytes] of a) {
    const other = b.get(known);
    if (other !== undefined) both.set(known, Math.min(bytes, other));
  }
  return both;
}
