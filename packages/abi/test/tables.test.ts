/** The tables of the contract do not contradict themselves: numbers, offsets, bits. */
import { describe, expect, test } from 'vitest';
import {
  BUFFER,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  DISK,
  EXTENT,
  EXTENT_BYTES,
  EXTENT_LIMIT,
  REQUEST,
  REQUEST_BYTES,
  REQUEST_LIMIT,
  TRANSFER_BYTES,
  TRANSFER_LIMIT,
  CALLS,
  CALL_LIMIT,
  CAPABILITY_KINDS,
  COMPLETION_SLOTS,
  DEATHS,
  ENV,
  ENTRYLO,
  ENV_BYTES,
  ENV_LIMIT,
  ENV_SETTABLE,
  ENV_STATUS,
  ERRORS,
  EXCEPTIONS,
  EXPOSED,
  FILTER,
  FILTER_BYTES,
  FILTER_CODE_BYTES,
  FILTER_LIMIT,
  FRAME,
  FRAME_BYTES,
  GUARANTEED_LIMIT,
  NODE,
  NODE_BYTES,
  NODE_LIMIT,
  PAGE_BYTES,
  RIGHTS,
  RING,
  RING_BUFFERS,
  RING_BYTES,
  RING_FRAME_LIMIT,
  RING_LIMIT,
  RING_SLOT,
  RING_SLOT_BYTES,
  RING_SLOT_LIMIT,
  SLICE,
  SLICE_BYTES,
  U,
} from '../src/index.ts';

/** What travels in registers: a0 to a3, t0 to t7; v1, a0 to a3. */
const ARGUMENT_REGISTERS = 12;
const RESULT_REGISTERS = 5;

function words(fields: readonly string[]): number {
  return fields.reduce((sum, field) => sum + Number(/:(\d+)$/.exec(field)?.[1] ?? 1), 0);
}

describe('calls', () => {
  const calls = Object.entries(CALLS);

  test('each has a number of its own below the limit', () => {
    const numbers = calls.map(([, { number }]) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Math.min(...numbers)).toBe(0);
    expect(Math.max(...numbers)).toBeLessThan(CALL_LIMIT);
  });

  test.each(calls)('%s: arguments and results fit in the registers', (_, { args, results }) => {
    expect(words(args)).toBeLessThanOrEqual(ARGUMENT_REGISTERS);
    expect(words(results)).toBeLessThanOrEqual(RESULT_REGISTERS);
  });

  test.each(calls)('%s: every capability starts where the table can say so', (_, { args }) => {
    for (const arg of args) expect(arg).toMatch(/^[a-z][a-z0-9]*(:[478])?$/);
  });
});

test.each([
  ['errors', ERRORS],
  ['exceptions', EXCEPTIONS],
  ['states', ENV_STATUS],
  ['deaths', DEATHS],
  ['kinds of capabilities', CAPABILITY_KINDS],
])('%s have values of their own', (_, table) => {
  const values = Object.values(table);
  expect(new Set(values).size).toBe(values.length);
});

test('errors are negative, success is 0', () => {
  for (const [name, value] of Object.entries(ERRORS)) expect(value < 0, name).toBe(name !== 'E_OK');
});

test('rights and EntryLo bits are single bits', () => {
  for (const bit of [...Object.values(RIGHTS), ...Object.values(ENTRYLO)]) expect(bit & (bit - 1)).toBe(0);
});

/** Fails if two fields of a layout overlap or one leaves it. */
function check(fields: readonly (readonly [at: number, bytes: number])[], size: number): void {
  let end = 0;
  for (const [at, bytes] of [...fields].sort(([a], [b]) => a - b)) {
    expect(at).toBeGreaterThanOrEqual(end);
    expect(at % 4).toBe(0);
    end = at + bytes;
  }
  expect(end).toBeLessThanOrEqual(size);
}

test('the fields of an environment’s record do not overlap', () => {
  const sizes: Partial<Record<keyof typeof ENV, number>> = {
    exceptionPc: 64,
    guaranteedNode: 64,
    guaranteed: 8 * GUARANTEED_LIMIT,
  };
  const fields = Object.entries(ENV).map(([name, at]) => [at, sizes[name as keyof typeof ENV] ?? 4] as const);
  check(fields, ENV_BYTES);
  expect(ENV.guaranteedEnd).toBe(ENV.guaranteed + 8 * GUARANTEED_LIMIT);
  for (const field of ENV_SETTABLE) expect(Object.values(ENV)).toContain(field);
});

test('the fields of the other layouts do not overlap', () => {
  check(
    [
      [U.exceptionSave, 16 * 16],
      [U.interruptSave, 16],
      [U.completion, 4 * COMPLETION_SLOTS],
      [U.revokeFrames, 4],
      [U.revokeSlices, 4],
      [U.revokeDeadline, 4],
      [U.lost, 4],
      [U.user, PAGE_BYTES - U.user],
    ],
    PAGE_BYTES,
  );
  check(
    [
      [RING_SLOT.length, 4],
      [RING_SLOT.filter, 4],
      [RING_SLOT.buffers, 8 * RING_BUFFERS],
    ],
    RING_SLOT_BYTES,
  );
  for (const [fields, bytes] of [
    [EXTENT, EXTENT_BYTES],
    [REQUEST, REQUEST_BYTES],
    [BUFFER, BUFFER_BYTES],
    [DISK, PAGE_BYTES],
  ] as const) {
    check(
      Object.values(fields).map((at) => [at, 4]),
      bytes,
    );
  }
  expect(TRANSFER_BYTES * TRANSFER_LIMIT).toBeLessThanOrEqual(PAGE_BYTES);
  expect(RING_SLOT_BYTES * RING_SLOT_LIMIT).toBeLessThanOrEqual(PAGE_BYTES);
  check(
    Object.entries(RING).map(([name, at]) => [at, name === 'frame' ? 4 * RING_FRAME_LIMIT : 4]),
    RING_BYTES,
  );
  check(
    Object.values(FILTER).map((at) => [at, 4]),
    FILTER_BYTES,
  );
  check(
    Object.values(FRAME).map((at) => [at, 4]),
    FRAME_BYTES,
  );
  check(
    Object.values(NODE).map((at) => [at, 4]),
    NODE_BYTES,
  );
  check(
    Object.values(SLICE).map((at) => [at, 4]),
    SLICE_BYTES,
  );
  check(
    [
      [EXPOSED.stlb, 8 * 4096],
      [EXPOSED.nodes, NODE_BYTES * NODE_LIMIT],
      [EXPOSED.environments, ENV_BYTES * ENV_LIMIT],
      [EXPOSED.frames, FRAME_BYTES * 0x3000],
      [EXPOSED.slices, SLICE_BYTES * 64],
      [EXPOSED.disk, PAGE_BYTES],
      [EXPOSED.requests, REQUEST_BYTES * REQUEST_LIMIT],
      [EXPOSED.extents, EXTENT_BYTES * EXTENT_LIMIT],
      [EXPOSED.buffers, BUFFER_BYTES * BUFFER_LIMIT],
      [EXPOSED.rings, RING_BYTES * RING_LIMIT],
      [EXPOSED.filters, FILTER_BYTES * FILTER_LIMIT],
      [EXPOSED.filterCode, FILTER_CODE_BYTES],
      [EXPOSED.system, 64],
    ],
    0x100000,
  );
});
