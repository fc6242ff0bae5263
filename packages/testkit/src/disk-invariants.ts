/** What must hold of extents, the disk's queue and the registry whenever the machine is between two instructions of a program. */
import {
  BUFFER,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  BUFFER_STATES,
  EXPOSED,
  EXTENT,
  EXTENT_BYTES,
  EXTENT_LIMIT,
  FRAME,
  NO_BLOCK,
  NO_ENV,
  REQUEST,
  REQUEST_BYTES,
  REQUEST_LIMIT,
} from '@exokernel/abi';
import type { Aegis } from '@exokernel/aegis';
import { BOUNCE_FRAMES, REQUEST_STATE, TABLES } from '@exokernel/aegis/inside';
import { isAlive, type Report } from './report.ts';

/** Extents belong to the living; the queue is what is under way; each cached block has a frame of its own, that is pinned. */
export function checkDisk(aegis: Aegis, report: Report): void {
  const { memory, disk, registry } = aegis.parts;
  for (let id = 0; id < EXTENT_LIMIT; id += 1) {
    const get = (field: number): number => memory.get(EXPOSED.extents + EXTENT_BYTES * id + field);
    const owner = get(EXTENT.owner);
    report(owner === NO_ENV || isAlive(aegis, owner), `extent ${id}: owned by ${owner}, which is not alive`);
    if (owner === NO_ENV) report(get(EXTENT.blocks) === 0, `extent ${id}: free, with blocks`);
  }
  let queued = 0;
  let through = 0;
  for (let i = 0; i < REQUEST_LIMIT; i += 1) {
    const at = EXPOSED.requests + REQUEST_BYTES * i;
    if (memory.get(at + REQUEST.env) === NO_ENV) continue;
    queued += memory.get(at + REQUEST.count);
    const state = (field: number): number =>
      memory.get(memory.table(TABLES.requestState) + TABLES.requestState.bytes * i + field);
    const bounces = state(REQUEST_STATE.through);
    report((through & bounces) === 0, `request ${i}: has a frame of the kernel's that another has`);
    through |= bounces;
    const copies = memory.get(at + REQUEST.begun) === 1 && state(REQUEST_STATE.bounced) === 1;
    const has = Array.from({ length: BOUNCE_FRAMES }, (_, n) => (bounces >>> n) & 1).reduce((a, b) => a + b);
    report(has === (copies ? memory.get(at + REQUEST.count) : 0), `request ${i}: has ${has} frames of the kernel's`);
  }
  report(
    queued === disk.inFlight.length,
    `${queued} blocks are in the queue that is shown, ${disk.inFlight.length} in it`,
  );
  const [blocks, ppns] = [new Set<number>(), new Set<number>()];
  for (let i = 0; i < BUFFER_LIMIT; i += 1) {
    const get = (field: number): number => memory.get(EXPOSED.buffers + BUFFER_BYTES * i + field);
    if (get(BUFFER.state) === BUFFER_STATES.empty) continue;
    report(!blocks.has(get(BUFFER.block)) && !ppns.has(get(BUFFER.ppn)), `buffer ${i}: its block or frame has another`);
    report(memory.frame(get(BUFFER.ppn), FRAME.owner) !== NO_ENV, `buffer ${i}: its frame is free`);
    // Several may have been taken out while they came in.
    if (get(BUFFER.block) !== NO_BLOCK) blocks.add(get(BUFFER.block));
    ppns.add(get(BUFFER.ppn));
  }
  report(
    [...registry.pinned].every((ppn) => ppns.has(ppn)),
    'the registry pins other frames than it shows',
  );
}
