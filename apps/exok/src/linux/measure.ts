/**
 * Times of a program under Linux, from the marks that it makes (`linux/bench.c`): which cycle each was, and what its
 * announcements say that they are. The cost of marking is measured the same way and taken off.
 */

/** An announcement: `repetitions` times one mark and then one for each name, after so many iterations of what is measured. */
interface Announcement {
  readonly iterations: number;
  readonly repetitions: number;
  readonly names: readonly string[];
}

/** Name of the benchmark with nothing between its marks. */
const MARK = 'mark';

/** The announcements in what a console printed. */
function announcements(console: string): Announcement[] {
  return [...console.matchAll(/^bench (\d+) (\d+) (.+?)\r?$/gm)].map(([, iterations, repetitions, names = '']) => ({
    iterations: Number(iterations),
    repetitions: Number(repetitions),
    names: names.split(' '),
  }));
}

/**
 * Cycles of one iteration by name: the median of its repetitions. Throws `Error` if marks and announcements do not fit
 * each other, or marking itself was not measured.
 */
export function measured(console: string, marks: readonly number[]): ReadonlyMap<string, number> {
  const medians = new Map<string, number>();
  let at = 0;
  const announced = announcements(console);
  for (const { iterations, repetitions, names } of announced) {
    const intervals = names.map((): number[] => []);
    for (let i = 0; i < repetitions; i += 1) {
      for (const interval of intervals) {
        interval.push((marks[at + 1] ?? NaN) - (marks[at] ?? NaN));
        at += 1;
      }
      at += 1;
    }
    names.forEach((name, i) => {
      const cycles = median(intervals[i] ?? []);
      medians.set(name, name === MARK ? cycles : (cycles - (medians.get(MARK) ?? NaN)) / iterations);
    });
  }
  if (announced.length === 0 || at !== marks.length || !medians.has(MARK)) {
    throw new Error(`${marks.length} marks, ${at} announced: what the console says\n${console}`);
  }
  return medians;
}

/** The middle one, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const above = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? above : ((sorted[middle - 1] ?? NaN) + above) / 2;
}
