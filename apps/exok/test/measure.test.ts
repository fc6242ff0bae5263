/** Times from marks: medians, the cost of marking taken off, and nothing when the two do not fit. */
import { describe, expect, test } from 'vitest';
import { measured, median } from '../src/linux/measure.ts';

const CONSOLE = 'Run /init\r\nbench 1 3 mark\r\nbench 10 2 first second\r\nbench end\r\n';
/** Three intervals of 5, 7 and 5; then twice two: 105 and 25, 125 and 5. */
const MARKS = [100, 105, 200, 207, 300, 305, 1000, 1105, 1130, 2000, 2125, 2130];

test('the median of the repetitions, less a mark, by iteration', () => {
  expect([...measured(CONSOLE, MARKS)]).toEqual([
    ['mark', 5],
    ['first', (115 - 5) / 10],
    ['second', (15 - 5) / 10],
  ]);
});

test('median', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([7])]).toEqual([2, 2.5, 7]);
  expect(median([])).toBeNaN();
});

describe('refused', () => {
  test.each([
    ['a mark too few', CONSOLE, MARKS.slice(1)],
    ['a mark too many', CONSOLE, [...MARKS, 3000]],
    ['no announcement', 'nothing', []],
    ['marking itself was not measured', 'bench 1 1 first\n', [1, 2]],
  ])('%s', (_, console, marks) => {
    expect(() => measured(console, marks)).toThrow(/marks/);
  });
});
