/** Where a function will run. */
import type { ImportCode } from '../ir/imports.ts';
import type { Statement } from '../ir/ir.ts';
import type { RecordLayout } from '../ir/record.ts';

/** What the builder must know of where the code will run. */
export interface Surroundings {
  /** Own: no tests, no fuel; an address is what the program says. */
  readonly profile: 'own' | 'checked';
  /** Downloaded code: a leaf that touches its record and its regions alone. It has no tables in memory. */
  readonly isLeaf: boolean;
  /** By statement: the fuel section that a loop begins. */
  readonly sections: ReadonlyMap<Statement, number>;
  /** The section of the function itself. */
  readonly section: number;
  /** Globals that do not change while the function runs. */
  readonly settled: ReadonlySet<number>;
  /** What a call of an import is; a routine of its symbol where nothing is said. */
  readonly imports: readonly (ImportCode | undefined)[];
  /** Where things are in the module's record. */
  readonly record: RecordLayout;
}
