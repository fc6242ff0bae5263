/** Handlers: programs of this environment that the kernel runs when a packet for a filter arrives, before any slice. [ASH96] */
import { E, PAGE_BYTES } from './abi';
import { ashAttach, ashWindow } from './calls';
import { Capability, capabilityAt } from './capability';
import { frameOf, ownPage } from './ring';

const FRAME = capabilityAt(memory.data(16));
const RESULTS = memory.data(4);

/**
 * Attaches the handler whose bytes lie at the beginning of a page to a filter; the kernel compiles it, and the page is free again. Its window must be
 * there. Errors: E.RANGE, and those of ash_attach.
 */
export function attachHandler(filter: Capability, page: usize, bytes: i32): i32 {
  if (bytes < 0 || bytes > PAGE_BYTES) return E.RANGE;
  const code = frameOf(page, FRAME);
  return code < 0 ? code : ashAttach(filter, FRAME, bytes);
}

/**
 * Makes a page the window of a filter's handler: it is pinned, and both write it. A child gets the same page. Errors: E.RANGE, and those of
 * ash_window.
 */
export function setWindow(filter: Capability, page: usize): i32 {
  const code = ownPage(page, FRAME);
  return code < 0 ? code : ashWindow(filter, FRAME, 0, RESULTS);
}
