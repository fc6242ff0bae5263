/** What the demo claims, and whether it came true: computed from the run. */
import { DEATHS } from '@exokernel/abi';
import {
  CHILD_CODE,
  CHILD_SAYS,
  HOSTILE,
  PARENT_ENDS,
  MATMUL_ROWS,
  PARENT_SAYS,
  REFUSED,
  matmulResult,
} from '@exokernel/demos';
import type { World } from './world.ts';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** What the hostile environment noted, kept up to date while it lives. */
export class HostileNotes {
  readonly #notes = new Map<number, number>();

  update(world: World): void {
    for (const address of Object.values(HOSTILE)) {
      const word = world.uWord(world.env.hostile, address);
      if (word !== undefined) this.#notes.set(address, word);
    }
  }

  get(word: keyof typeof HOSTILE): number | undefined {
    return this.#notes.get(HOSTILE[word]);
  }
}

/** Checks on programs that have ended or been ended. */
export function programChecks(world: World, notes: HostileNotes): Check[] {
  const { aegis, env } = world;
  const matmul = aegis.environment(env.matmul);
  const talk = aegis.environment(env.talk);
  const hostile = aegis.environment(env.hostile);
  const others = aegis.environments().filter(({ id }) => id !== env.hostile);
  const said = world.console().replaceAll('\r', '');
  const child = aegis.environments().find((e) => e.parent === env.talk);
  const inOrder =
    [PARENT_SAYS, CHILD_SAYS + PARENT_SAYS].every((text) => said.includes(text)) && said.endsWith(PARENT_ENDS);
  const refused = (word: 'forgedFree' | 'forgedMap' | 'foreignMap', what: string): Check => ({
    name: `hostile: ${what}`,
    ok: notes.get(word) === REFUSED,
    detail: `the kernel answered ${notes.get(word) ?? 'nothing'}`,
  });
  const harmed = others.find(({ cause }) => cause !== undefined && cause.kind !== 'exit');
  const raised = (word: 'addressErrors' | 'privileged', what: string): Check => ({
    name: `hostile: ${what}`,
    ok: notes.get(word) === 1,
    detail: `${notes.get(word) ?? 'no'} exception delivered to the environment that erred`,
  });
  return [
    {
      name: `batch: the ${MATMUL_ROWS}×${MATMUL_ROWS} product is right`,
      ok: matmul.death === DEATHS.exit && matmul.exit === matmulResult(MATMUL_ROWS),
      detail: `result ${hex(matmul.exit)}, computed here ${hex(matmulResult(MATMUL_ROWS))}`,
    },
    {
      name: 'exos: parent and forked child talked through a pipe',
      ok: inOrder && talk.exit === 0 && child?.exit === CHILD_CODE,
      detail: `exit ${talk.exit}, child's exit ${child?.exit ?? 'none'}`,
    },
    refused('forgedFree', 'a forged capability frees nothing'),
    refused('forgedMap', 'a forged capability maps nothing'),
    refused('foreignMap', "its own capability does not open another's frame"),
    raised('addressErrors', 'a store to physical memory is an address error'),
    raised('privileged', 'a privileged instruction is an exception'),
    {
      name: 'hostile: an environment that does not give the processor back is destroyed',
      ok: hostile.status === 'dead' && hostile.death === DEATHS.excess,
      detail: `${hostile.cause?.text ?? hostile.status}, after ${hostile.slices} slice(s)`,
    },
    {
      name: 'hostile: no other environment was harmed',
      ok: harmed === undefined,
      detail:
        harmed?.cause === undefined
          ? `${others.length} others run, or have ended by themselves`
          : `${harmed.name} ${harmed.cause.text}`,
    },
  ];
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, '0')}`;
}
