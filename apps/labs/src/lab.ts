/** What a lab is, and what its result is made of. */
import type { Model } from './models.ts';

/** One quantity. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly measured: number;
  /** What was published of the machine that is modelled, or, if `on` names it, of another. */
  readonly published?: number;
  readonly on?: string;
  /** Key in docs/sources.md, with the place. */
  readonly source?: string;
  /** The measured region, in cycles of the machine and in instructions. */
  readonly cycles?: number;
  readonly instructions?: number;
  /** What was published of other systems on the same machine, in the same unit. */
  readonly beside?: Readonly<Record<string, number>>;
  /** What a reader has to know of this row. */
  readonly note?: string;
}

/** The quantities of one machine, and pictures of them. */
export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
  /** Lines of text below the rows. */
  readonly plot?: readonly string[];
}

/** What a lab says that can turn out false. */
export interface Claim {
  readonly text: string;
  readonly holds: boolean;
}

export interface Result {
  readonly lab: string;
  readonly sections: readonly Section[];
  readonly claims: readonly Claim[];
}

/** How much is done: `full` for people, `short` for the tests. The claims are the same. */
export type Effort = 'full' | 'short';

/** Says what is going on. */
export type Progress = (text: string) => void;

/** A lab: measures on each model in turn. */
export type Lab = (models: readonly Model[], effort: Effort, progress: Progress) => Result;

/** Measured over published. */
export function ratio(row: Row): number | undefined {
  return row.published === undefined ? undefined : row.measured / row.published;
}

/** The claim that nothing takes longer than it did on the original. Rows without a published value do not count; one must have it. */
export function notSlower(sections: readonly Section[]): Claim {
  const compared = sections.flatMap(({ title, rows }) =>
    rows.flatMap((row) => {
      const times = ratio(row);
      return times === undefined ? [] : [{ times, name: `${row.what} on ${title} ${times.toFixed(2)}` }];
    }),
  );
  // What is no number is not fast.
  const slower = compared.filter(({ times }) => !(times <= 1)).map(({ name }) => name);
  const text = 'nothing takes longer than on the original';
  return {
    text: slower.length === 0 ? text : `${text} (${slower.join('; ')})`,
    holds: compared.length > 0 && slower.length === 0,
  };
}
