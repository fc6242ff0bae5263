/**
 * Repairs of the kernel, each as the text that undoes it: without it the kernel does again what it did before the repair. proof.ts shows
 * that the fuzzer finds each of them.
 */

export interface Patch {
  readonly name: string;
  /** In packages/aegis/src. */
  readonly file: string;
  readonly replace: readonly [from: string, to: string];
}

export const PATCHES: readonly Patch[] = [
  {
    name: 'a node that ends leaves translations to its frame',
    file: 'frames.ts',
    replace: [
      'if (this.#settle([ppn]).length === 0) this.#tlb.flushFrames(new Set([ppn]));\n    for (const env of new',
      'this.#settle([ppn]);\n    for (const env of new',
    ],
  },
  {
    name: 'a node that ends leaves rings, windows and predicates',
    file: 'frames.ts',
    replace: ['for (const env of new Set([...bound, ...losers])) this.#bindings.taken(env, ppn);', ''],
  },
  {
    name: 'a node that ends leaves guaranteed mappings',
    file: 'frames.ts',
    replace: ['(one) => gone.has(one.node)', '() => false'],
  },
  {
    name: 'the registry hands out the root',
    file: 'registry.ts',
    replace: [
      "node === 0 ? this.#frames.capability(ppn, rights) : this.#capabilities.under(node, 'frame', rights, ppn, env);",
      'this.#frames.capability(ppn, rights);',
    ],
  },
  {
    name: 'the registry takes frames of a branch',
    file: 'calls/cache.ts',
    replace: ['ppn < 0 || nodeOf(frame) !== 0) return', 'ppn < 0) return'],
  },
  {
    name: 'a block stays in the frame by whose right it was inserted',
    file: 'registry.ts',
    replace: ['if (nodes.has(this.#state.get(i, BUFFER_STATE.node))) this.#detach(i);', 'void nodes;'],
  },
  {
    name: 'frame_guard leaves predicates',
    file: 'frames.ts',
    replace: ["if (which === 'read') this.#bindings.guarded(ppn);", ''],
  },
  {
    name: 'frame_guard leaves translations',
    file: 'frames.ts',
    replace: ['this.#chosen.add(0, ppn);\n    this.#tlb.flushFrames(new Set([ppn]));', 'this.#chosen.add(0, ppn);'],
  },
  {
    name: 'the last hold leaves translations of others',
    file: 'frames.ts',
    replace: ['this.#tlb.flushFrames(new Set(unheld));', ''],
  },
  {
    name: 'the device has the frames of a branch',
    file: 'disk.ts',
    replace: ['node === 0 &&\n        one.node === 0 &&\n        this.#frames.isAlone(env, one.ppn) &&', ''],
  },
  {
    name: 'a transfer that has lost its right is copied to its frame',
    file: 'disk.ts',
    replace: ['else if (this.#isBounced(i)) this.#state.set(i, REQUEST_STATE.ended, 1);', ''],
  },
  {
    name: 'a frame is not zeroed for its next owner',
    file: 'frames.ts',
    replace: ['this.#memory.zeroFrame(ppn);\n    this.#memory.add(FREE, -1);', 'this.#memory.add(FREE, -1);'],
  },
  {
    name: 'a block is not blank for its next owner',
    file: 'extents.ts',
    replace: ['return block < BLANK_LIMIT && this.#blanks.has(0, block);', 'return false;'],
  },
  {
    name: 'the generation of a frame stays',
    file: 'frames.ts',
    replace: ['this.#memory.wide(...this.#life(ppn)) + 1, ...', 'this.#memory.wide(...this.#life(ppn)), ...'],
  },
  {
    name: 'the generation of a node stays',
    file: 'nodes.ts',
    replace: ['this.#memory.wide(...this.#life(node)) + 1, ...', 'this.#memory.wide(...this.#life(node)), ...'],
  },
  {
    name: 'the generation of a slice stays',
    file: 'slices.ts',
    replace: ['this.#life(position) + 1', 'this.#life(position)'],
  },
  {
    name: 'rights are not looked at',
    file: 'capabilities.ts',
    replace: [' || ((head >>> 16) & rights) !== rights) return', ') return'],
  },
  {
    name: 'a MAC is not compared',
    file: 'capabilities.ts',
    replace: ['return ((mac[0] ^ low) | (mac[1] ^ high)) === 0;', 'return mac[0] === low || high !== 0;'],
  },
  {
    name: 'a slice does not pay',
    file: 'text/pay.ts',
    replace: ['a.subu(credit, credit, t);\n  a.sw(credit, SLICE.credit, slice);', 'a.sw(credit, SLICE.credit, slice);'],
  },
  {
    name: 'interrupts are paid by the slice that runs',
    file: 'text/pay.ts',
    replace: ['a.addu(u, u, from);', ''],
  },
  {
    name: 'there are no quotas',
    file: 'families.ts',
    replace: [
      'const { has, guaranteed } = this.#get(kind, family);\n    const left',
      'if (this.#free(kind) >= count) return true;\n    const { has, guaranteed } = this.#get(kind, family);\n    const left',
    ],
  },
  {
    name: 'long calls are not paid before',
    file: 'memory.ts',
    replace: ['Math.max(0, Math.ceil(this.#work + cycles) + COSTS.word - LONGEST)', '0'],
  },
  {
    name: 'packets are handled to the end',
    file: 'text/packet-steps.ts',
    replace: ["a.bgezal(T0, 'receive.pause');", ''],
  },
  {
    name: 'the floating-point unit keeps what a callee leaves',
    file: 'text/fpu.ts',
    replace: ['a.ctc1(ZERO, CONTROL);\n  a.sw(ZERO, KP.fpuOwner, ZERO);\n  a.label(left);', 'a.label(left);'],
  },
  {
    name: 'a slice begins with the registers of the one before',
    file: 'text/schedule.ts',
    replace: ['for (const r of CLEARED) a.move(r, ZERO);', ''],
  },
  {
    name: 'an environment that ends leaves its translations',
    file: 'asids.ts',
    replace: ['this.#tlb.flushEnv(env);', ''],
  },
  {
    name: 'the end of an environment is one stretch',
    file: 'text/exception.ts',
    replace: ["emitWindow(a, status);\n      a.note('its slice pays", "a.note('its slice pays"],
  },
  {
    name: 'an estimate is not a part of the stretch',
    file: 'memory.ts',
    replace: ['Math.ceil(this.#work + cycles) + COSTS.word - LONGEST', 'Math.ceil(cycles) - LONGEST'],
  },
  {
    name: 'frame_free does not pay for the nodes that it ends',
    file: 'calls/memory.ts',
    replace: ['if (!memory.affords(self, cost)) return AGAIN;', ''],
  },
];
