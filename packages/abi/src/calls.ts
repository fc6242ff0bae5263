/**
 * The system-call table: the one place that numbers the calls and names their arguments, results and errors.
 *
 * A call is `v0 = number; syscall`. Arguments travel in `a0 a1 a2 a3 t0 t1 … t7` (in this order), the error code comes
 * back in `v0` (0 is success) and results in `v1 a0 a1 a2 a3`. `v0`, `v1` and `k0` are the kernel's; every other register
 * that holds no result is preserved, `k1`, HI and LO included, but for the calls that leave (yield, sleep, scall, acall)
 * and those that need a stack. A call that is refused changes v0 and nothing else.
 * **No argument is a pointer**: memory is named by capabilities for physical frames, so no call can fault on an argument.
 * A `syscall` in a branch delay slot is executed twice and the branch is lost; do not put one there.
 *
 * `path` says how the call is executed: `machine` is kernel machine code (an access); `stack` is kernel machine code that
 * needs the kernel's stack and may change a0 to a3 and t0 to t9; `native` is kernel TypeScript (a binding). A capability takes four registers (see `capability.ts`).
 */

import type { CapabilityWords } from './capability.ts';
import type { ErrorName } from './errors.ts';

/** How one call is written in the table; `name:4` is an argument or result of four words. */
export interface CallRow {
  readonly number: number;
  readonly path: 'machine' | 'stack' | 'native';
  readonly args: readonly string[];
  readonly results: readonly string[];
  /** The mechanism it belongs to: its page in docs/. */
  readonly page: string;
  /** Codes that it answers with beside E_OK and, of a machine without such a device, E_DEVICE. */
  readonly errors: readonly ErrorName[];
  readonly what: string;
}

/* prettier-ignore */
export const CALLS = {
  null:   { number: 0, path: 'machine', args: [], results: [], page: 'calls', errors: [], what: 'does nothing: the null system call' },
  yield:  { number: 1, path: 'machine', args: ['env'], results: [], page: 'slices', errors: [], what: 'gives up the rest of the slice: to env, or with -1 to the next position; comes back at the prologue' },
  sleep:  { number: 2, path: 'machine', args: ['tick'], results: [], page: 'slices', errors: [], what: 'returns at once if an event is pending (and takes it), else sleeps until an event, until the tick counter reaches tick (0: no limit) or until the predicate holds; comes back at the prologue' },
  scall:  { number: 3, path: 'machine', args: [], results: [], page: 'transfer', errors: ['E_ENV', 'E_SLICE'], what: 'synchronous protected control transfer to the environment whose name (ENV.name) is v1: donates this and all future instances of the slice; the registers are the message, v1 becomes the name of the caller; returns only on an error' },
  acall:  { number: 4, path: 'machine', args: [], results: [], page: 'transfer', errors: ['E_ENV', 'E_SLICE'], what: 'asynchronous protected control transfer to environment v1, a number: donates the rest of this slice; v1 becomes the name of the caller' },
  tlbwr:  { number: 5, path: 'machine', args: ['va', 'entrylo', 'mac0', 'mac1', 'head'], results: [], page: 'frames', errors: ['E_RANGE', 'E_CAP'], what: 'binds the page at va to the frame of entrylo in TLB and STLB, if the MAC is that of a capability for it (for writing if D is set); head, word 0 of the capability, is looked at only if it is not one of the root with all rights or to read' },
  tlbvad: { number: 6, path: 'machine', args: ['va'], results: [], page: 'frames', errors: ['E_RANGE'], what: 'removes the mapping of the page at va from TLB and STLB' },
  xmit:   { number: 7, path: 'stack', args: ['ring'], results: ['sent'], page: 'packets', errors: ['E_RANGE', 'E_CAP', 'E_DEVICE'], what: 'sends the full slots of a transmit ring of the caller, each once, until a slot is empty or the controller has no room; what is for this machine itself has been delivered when it returns' },
  tick:   { number: 8, path: 'machine', args: [], results: ['tick'], page: 'slices', errors: [], what: 'reads the tick counter (1/64 s)' },
  null_stack:   { number: 9, path: 'stack', args: [], results: [], page: 'calls', errors: [], what: "does nothing, on the kernel's stack: the null system call of the path that needs one" },
  fpu_mod:      { number: 12, path: 'stack', args: ['on'], results: [], page: 'exceptions', errors: [], what: 'makes the floating-point unit usable for the caller (all registers zero if another used it), or with 0 not' },
  msg_send:     { number: 10, path: 'machine', args: ['env', 'words:8'], results: [], page: 'messages', errors: ['E_ENV', 'E_AGAIN'], what: 'puts eight words and the caller\'s number into the next slot of the message ring of env, and makes an event of it; E_AGAIN: the ring is full' },
  tlbvad_range: { number: 11, path: 'stack', args: ['va', 'pages'], results: [], page: 'frames', errors: ['E_RANGE'], what: 'removes the mappings of up to 1024 pages from va on from TLB and STLB' },

  frame_alloc:  { number: 16, path: 'native', args: ['ppn'], results: ['ppn', 'capability:4'], page: 'frames', errors: ['E_RANGE', 'E_BUSY', 'E_NONE', 'E_AGAIN'], what: 'allocates the frame ppn, or any with -1; contents are zero; E_NONE also beyond its limit; E_AGAIN: below its guaranteed minimum, one has been asked for' },
  frame_free:   { number: 17, path: 'native', args: ['frame:4'], results: [], page: 'frames', errors: ['E_CAP', 'E_BUSY'], what: 'drops the hold of the caller on a frame, and with it its mappings, guaranteed ones too; with the last hold every binding to the frame is broken and its capabilities die; E_BUSY: it is the u-page, the public page or the repossession vector of the caller' },
  cap_derive:   { number: 18, path: 'native', args: ['capability:4', 'rights', 'branch'], results: ['node', 'capability:4'], page: 'capabilities', errors: ['E_CAP', 'E_RANGE', 'E_NONE'], what: 'makes a capability with fewer rights, or the same, for the same resource, of whichever kind: branch 0, of the same node; 1, of a new node below it' },
  cap_revoke:   { number: 36, path: 'native', args: ['capability:4', 'node'], results: [], page: 'capabilities', errors: ['E_CAP'], what: 'ends all capabilities of node and of the nodes below it, and the bindings made through them; node must hang below that of the capability' },
  frame_guard:  { number: 37, path: 'native', args: ['frame:4', 'which', 'word0', 'word1'], results: [], page: 'frames', errors: ['E_CAP', 'E_RANGE'], what: 'sets the two words that tlbwr compares for reading (which 0) or writing (1): with words that everyone knows a frame is shared with everyone; translations made before are gone' },
  revoke:       { number: 38, path: 'native', args: ['env:4', 'kind', 'count', 'mode'], results: ['count'], page: 'revocation', errors: ['E_CAP', 'E_RANGE', 'E_BUSY', 'E_NONE'], what: 'takes back frames (kind 0) or slices (1) of an environment: mode 0 asks it and takes by force what it has not given up by the deadline, 1 takes at once and tells; count is how many, the guaranteed minimum left alone' },
  env_alloc:    { number: 19, path: 'native', args: [], results: ['env', 'capability:4'], page: 'environments', errors: ['E_NONE', 'E_CODE'], what: 'creates an environment without slices; it gets the native functions of its creator, and ends with it unless it has been started' },
  env_free:     { number: 20, path: 'native', args: ['env:4', 'code'], results: [], page: 'environments', errors: ['E_CAP'], what: 'destroys an environment (null capability: the caller); code, a word, goes to its record' },
  env_set:      { number: 21, path: 'native', args: ['env:4', 'field', 'value'], results: [], page: 'environments', errors: ['E_CAP', 'E_RANGE'], what: 'sets a word of a context of an environment: see ENV_SETTABLE; entry points need a u-page, those of transfers a started environment; a limit of frames is at most that of the caller (else E_CAP)' },
  env_map:      { number: 22, path: 'native', args: ['env:4', 'frame:4', 'va'], results: [], page: 'frames', errors: ['E_CAP', 'E_RANGE', 'E_NONE', 'E_BUSY'], what: 'adds a guaranteed mapping; bit 0 of va: writable; bit 1: this frame is the u-page; bit 2: it is the page that everyone may read; bit 3: it is the repossession vector' },
  slice_alloc:  { number: 23, path: 'native', args: ['env:4', 'position'], results: ['position', 'capability:4'], page: 'slices', errors: ['E_CAP', 'E_RANGE', 'E_BUSY', 'E_NONE'], what: 'gives an environment the slice at position, or the first free one with -1; until the environment is started the slice is passed over. Of a slice that it owns already: its capability' },
  slice_free:   { number: 24, path: 'native', args: ['slice:4'], results: [], page: 'slices', errors: ['E_CAP'], what: 'frees a slice (right: control)' },
  ring_bind:    { number: 25, path: 'native', args: ['frame:4', 'direction', 'slots'], results: ['ring', 'capability:4'], page: 'packets', errors: ['E_CAP', 'E_RANGE', 'E_NONE'], what: 'makes a packet ring (direction 0 receive, 1 transmit) of 1 to 32 slots, which lie at the start of a frame; the frame is pinned' },
  ring_extend:  { number: 26, path: 'native', args: ['ring:4', 'frame:4'], results: ['at'], page: 'packets', errors: ['E_CAP', 'E_NONE'], what: 'adds a frame for buffers to a ring and pins it; at is its place in the ring, by which slots name it. Transmitting needs only the right to read it' },
  ring_free:    { number: 27, path: 'native', args: ['ring:4'], results: [], page: 'packets', errors: ['E_CAP'], what: 'unbinds a ring and unpins its frames' },
  filter_bind:  { number: 28, path: 'native', args: ['frame:4', 'ring:4', 'length', 'policy'], results: ['filter', 'capability:4'], page: 'packets', errors: ['E_CAP', 'E_RANGE', 'E_CODE', 'E_OVERLAP', 'E_BUSY', 'E_NONE'], what: 'downloads a packet filter whose bytes lie in a frame; packets that it accepts go to a receive ring. policy, one of POLICIES, says what becomes of those that others accept too' },
  filter_free:  { number: 29, path: 'native', args: ['filter:4'], results: [], page: 'packets', errors: ['E_CAP'], what: 'removes a filter, its handler and its window' },
  ash_attach:   { number: 30, path: 'native', args: ['filter:4', 'code:4', 'length'], results: [], page: 'handlers', errors: ['E_CAP', 'E_RANGE', 'E_CODE', 'E_NONE'], what: 'downloads a handler whose bytes lie in the code frame and attaches it to a filter, whose window it may use' },
  ash_window:   { number: 44, path: 'native', args: ['filter:4', 'frame:4', 'append'], results: ['frames'], page: 'handlers', errors: ['E_CAP', 'E_RANGE'], what: 'makes a frame the window of the handler of a filter, or with append 1 the next page of the window, which it must follow physically; it is pinned' },
  tap_bind:     { number: 45, path: 'native', args: ['net:4', 'ring:4'], results: [], page: 'packets', errors: ['E_CAP', 'E_BUSY'], what: 'makes a receive ring a tap: it gets a copy of every packet that comes from or goes to the controller' },
  serial_write: { number: 31, path: 'native', args: ['line:4', 'length', 'bytes:7'], results: ['accepted'], page: 'serial', errors: ['E_CAP', 'E_RANGE'], what: 'queues up to 28 bytes, packed in little-endian words, on a serial line; accepted may be fewer' },
  serial_read:  { number: 32, path: 'native', args: ['line:4'], results: ['byte'], page: 'serial', errors: ['E_CAP', 'E_AGAIN'], what: 'takes one received byte, or E_AGAIN' },
  frame_hold:   { number: 35, path: 'native', args: ['env:4', 'frame:4'], results: [], page: 'frames', errors: ['E_CAP', 'E_NONE'], what: 'makes an environment a further holder of a frame (null capability: the caller)' },
  disk_read:    { number: 33, path: 'native', args: ['extent:4', 'frame:4', 'block', 'slot'], results: [], page: 'disk', errors: ['E_CAP', 'E_RANGE', 'E_BUSY', 'E_DEVICE'], what: 'starts reading one 4 KiB block of an extent into a frame; completion is posted to a slot of the u-page' },
  disk_write:   { number: 34, path: 'native', args: ['extent:4', 'frame:4', 'block', 'slot'], results: [], page: 'disk', errors: ['E_CAP', 'E_RANGE', 'E_BUSY', 'E_DEVICE'], what: 'starts writing a frame to one 4 KiB block of an extent' },
  slice_give:   { number: 58, path: 'native', args: ['slice:4', 'env'], results: [], page: 'slices', errors: ['E_CAP', 'E_ENV'], what: 'makes env the owner of a slice (right: control); the capabilities for it die' },
  slice_swap:   { number: 59, path: 'native', args: ['slice:4', 'other:4'], results: [], page: 'slices', errors: ['E_CAP'], what: 'exchanges the owners of two slices (right: write, which allows nothing else); the capabilities for both die' },
  wake_set:     { number: 60, path: 'native', args: ['frame:4', 'length'], results: [], page: 'predicates', errors: ['E_CAP', 'E_RANGE', 'E_CODE', 'E_NONE'], what: 'downloads the predicate whose bytes lie in a frame: what a sleep of the caller waits for beside events and its tick; length 0: none' },
  msg_bind:     { number: 61, path: 'native', args: ['frame:4'], results: [], page: 'messages', errors: ['E_CAP', 'E_BUSY'], what: 'makes a frame the message ring of the caller; it is pinned' },
  msg_free:     { number: 62, path: 'native', args: [], results: [], page: 'messages', errors: ['E_NONE'], what: 'unbinds the message ring of the caller' },
  extent_alloc: { number: 46, path: 'native', args: ['start', 'blocks'], results: ['start', 'capability:4'], page: 'disk', errors: ['E_RANGE', 'E_BUSY', 'E_NONE', 'E_DEVICE'], what: 'allocates physical blocks from start on, or any with -1; each reads as zeros until it is written; E_BUSY also while one is being written' },
  extent_free:  { number: 47, path: 'native', args: ['extent:4'], results: [], page: 'disk', errors: ['E_CAP'], what: 'frees an extent (right: control), and ends what was bound through branches of it' },
  disk_request: { number: 48, path: 'native', args: ['extent:4', 'list:4', 'count', 'write', 'slot'], results: [], page: 'disk', errors: ['E_CAP', 'E_RANGE', 'E_BUSY', 'E_DEVICE'], what: 'starts reading (write 0) or writing (1) up to 64 blocks, gathered from the frames that a list in a frame names; the completion word counts down to 0' },
  bc_insert:    { number: 49, path: 'native', args: ['extent:4', 'frame:4', 'block', 'dirty'], results: [], page: 'registry', errors: ['E_CAP', 'E_RANGE', 'E_BUSY', 'E_NONE', 'E_DEVICE'], what: 'makes a frame, by a capability of its root, the cached contents of a block (right: write to both)' },
  bc_read:      { number: 50, path: 'native', args: ['block', 'slot'], results: [], page: 'registry', errors: ['E_RANGE', 'E_BUSY', 'E_NONE', 'E_AGAIN', 'E_DEVICE'], what: 'reads a block into a fresh frame of the registry; needs no right' },
  bc_map:       { number: 51, path: 'native', args: ['extent:4', 'block'], results: ['ppn', 'capability:4'], page: 'registry', errors: ['E_CAP', 'E_RANGE', 'E_NONE', 'E_AGAIN'], what: "gives the caller a hold on a cached block's frame, and its capability with the rights to the extent: of the root by the extent's root, else of a node below the extent's" },
  bc_dirty:     { number: 52, path: 'native', args: ['extent:4', 'block', 'dirty'], results: [], page: 'registry', errors: ['E_CAP', 'E_RANGE', 'E_NONE', 'E_AGAIN'], what: 'says whether a cached block differs from the disk (right: write); if so it counts for the family of the caller' },
  bc_write:     { number: 53, path: 'native', args: ['extent:4', 'block', 'slot'], results: [], page: 'registry', errors: ['E_CAP', 'E_RANGE', 'E_NONE', 'E_AGAIN', 'E_BUSY', 'E_DEVICE'], what: 'writes a dirty block back (right: write; any environment may write a block without holders, with the null capability)' },
  bc_remove:    { number: 54, path: 'native', args: ['extent:4', 'block'], results: [], page: 'registry', errors: ['E_CAP', 'E_RANGE', 'E_NONE', 'E_AGAIN'], what: 'takes a block out of the registry, dirty or not (right: write)' },
  bc_words:     { number: 55, path: 'native', args: ['extent:4', 'block', 'word0', 'word1'], results: [], page: 'registry', errors: ['E_CAP', 'E_RANGE', 'E_NONE'], what: "sets the two words that a block's entry has for applications (right: write)" },
} as const;

export type CallName = keyof typeof CALLS;

/** So many words. */
type Repeated<Count extends string, Words extends readonly number[] = []> = `${Words['length']}` extends Count
  ? Words
  : Repeated<Count, readonly [...Words, number]>;
type WordsOf<Field extends string> = Field extends `${string}:4`
  ? CapabilityWords
  : Field extends `${string}:${infer Count}`
    ? Repeated<Count>
    : readonly [number];
type AllWords<Fields extends readonly string[]> = Fields extends readonly [
  infer First extends string,
  ...infer Rest extends readonly string[],
]
  ? readonly [...WordsOf<First>, ...AllWords<Rest>]
  : readonly [];

/** The words that a call takes, in their order: `name:4`, four words, is the words of a capability. */
export type CallArguments<Name extends CallName> = AllWords<(typeof CALLS)[Name]['args']>;

/** What a call gives beside its code, by the names of the table: `name:4` is a capability. */
export type CallResults<Name extends CallName> = {
  readonly [
    Field in (typeof CALLS)[Name]['results'][number] as Field extends `${infer Name}:${string}` ? Name : Field
  ]: Field extends `${string}:4` ? CapabilityWords : number;
};

/** One more than the highest call number that the dispatch table holds. */
export const CALL_LIMIT = 64;
