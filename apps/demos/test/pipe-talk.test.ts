/** Parent and child on ExOS: order of what is said, exit codes, nothing left behind. */
import { compose, encodeUtf8 } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { CHILD_CODE, CHILD_SAYS, PARENT_ENDS, PARENT_SAYS, pipeTalk } from '../src/index.ts';
import { exos } from '../../../packages/exos/src/index.ts';
import { boot } from '../../../packages/testkit/src/index.ts';

const SAID = PARENT_SAYS + CHILD_SAYS + PARENT_SAYS + PARENT_ENDS;

describe.each([1, 3])('%i at once', (count) => {
  const booted = boot(Array.from({ length: count }, (_, line) => compose(exos, pipeTalk, { serialLine: line })));
  const before = booted.aegis.framesFree;

  test('parents exit with 0, children with their code', () => {
    const parents = booted.finish(...Array.from({ length: count }, (_, i) => i));
    expect(parents.map(({ exit }) => exit)).toEqual(parents.map(() => 0));
    const children = booted.aegis.environments().filter(({ parent }) => parent !== undefined);
    expect(children.map(({ parent, status, exit }) => [parent, status, exit]).sort()).toEqual(
      parents.map(({ id }) => [id, 'dead', CHILD_CODE]),
    );
  });

  test('each says its words in order, whatever the others say', () => {
    const expected = String.fromCharCode(...encodeUtf8(SAID));
    const said = (line: number): string => booted.serial(line).replaceAll('\r', '');
    const lines = Array.from({ length: count }, (_, i) => i);
    booted.runUntil(() => lines.every((line) => said(line).length >= expected.length), 5);
    for (const line of lines) expect(said(line)).toBe(expected);
  });

  test('their frames are free again', () => {
    expect(booted.aegis.framesFree).toBeGreaterThan(before);
  });
});
