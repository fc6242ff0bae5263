/**
 * Regions as a WebAssembly module: each is a function, its blocks in the nest of loops that `structure.ts` found.
 *
 * The module imports the machine's memory and the table of regions. Each function takes the number of a block, from 1 on,
 * and returns a reason (`layout.ts`).
 */
import { I32, ModuleBuilder } from '@exokernel/wasm';
import { DEVICE_LOAD_PARAMETERS, Emission, type Banks } from './emission.ts';
import { REGION_PARAMETERS, REGION_RESULTS } from './jump-cache.ts';
import { lower } from './lowering.ts';
import { stepsOf, type Block, type Region } from './region.ts';
import { REFILL_PARAMETERS, type TimedRegion } from './stalls.ts';
import { firstOf, lastOf, nest, type Loop } from './structure.ts';

/** Where a machine has caches: how they are timed, and where the flags of the blocks are. */
export type RegionTiming = Omit<TimedRegion, 'refill'>;

/** A region to be compiled, and with what. */
export interface RegionSource {
  readonly region: Region;
  readonly banks: Banks;
  readonly timing: RegionTiming | undefined;
}

/** Name of the function of region `i` of a module. */
export function exportName(i: number): string {
  return `f${i}`;
}

/** The bytes of a module of several regions. `pages` is the size of the machine's memory in WebAssembly pages. */
export function compileRegions(sources: readonly RegionSource[], pages: number): Uint8Array {
  const module = new ModuleBuilder();
  module.importMemory('m', 'm', { minimum: pages, maximum: pages });
  module.importTable('m', 't', 1);
  const isTimed = sources.some(({ timing }) => timing !== undefined);
  const refill = isTimed ? module.importFunction('m', 'r', REFILL_PARAMETERS, [I32]) : 0;
  const readsDevices = sources.some(({ region }) => [...stepsOf(region)].some((step) => step.readsDevice));
  const device = readsDevices ? module.importFunction('m', 'd', DEVICE_LOAD_PARAMETERS, [I32]) : 0;
  const type = module.type(REGION_PARAMETERS, REGION_RESULTS);
  sources.forEach(({ region, banks, timing }, i) => {
    const code = module.function(REGION_PARAMETERS, REGION_RESULTS);
    const timed = timing && { ...timing, refill };
    new RegionWriter(region, new Emission(code, region, banks, { timed, device })).write(type);
    module.export(exportName(i), 'function', code.index);
  });
  return module.build();
}

/** A sequence of items being emitted. */
interface Scope {
  readonly loop: Loop;
  /** Nesting depth of its loop; -1 for the region itself. */
  readonly head: number;
  /** Nesting depth of the block that ends where an item begins; the first has none. */
  readonly labels: number[];
  position: number;
}

class RegionWriter {
  readonly #emission: Emission;
  readonly #region: Region;
  readonly #index: ReadonlyMap<number, number>;
  readonly #scopes: Scope[] = [];
  readonly #edges: (readonly [number, number])[];

  constructor(region: Region, emission: Emission) {
    this.#region = region;
    this.#emission = emission;
    this.#index = new Map(region.blocks.map((block, i) => [block.pc, i]));
    this.#edges = region.blocks.flatMap((block, i) => this.#successors(block).map((to) => [i, to] as const));
  }

  /** Emits the function; `type` is that of regions. */
  write(type: number): void {
    this.#emission.begin();
    this.#sequence(nest(this.#region.blocks.length, this.#edges), false);
    this.#emission.end(type);
  }

  /** Blocks of the region to which a block goes. */
  #successors({ pc, steps, ending }: Block): number[] {
    const next = pc + 4 * steps.length;
    const targets: number[] = [];
    if (ending.kind === 'next') targets.push(next);
    else if (ending.kind === 'branch') {
      const { flow, effects } = ending.branch;
      if (ending.target !== undefined && !effects.calls) targets.push(ending.target);
      if (!flow.always) targets.push(next + 8);
    }
    return targets.map((target) => this.#index.get(target | 0) ?? -1).filter((i) => i >= 0 && this.#exists(i));
  }

  /** A block of no instructions is only a place where the interpreter goes on. */
  #exists(block: number): boolean {
    return (this.#region.blocks[block]?.length ?? 0) > 0;
  }

  #sequence(loop: Loop, isLoop: boolean): void {
    const { code } = this.#emission;
    if (isLoop) code.loop();
    const scope: Scope = { loop, head: isLoop ? code.depth : -1, labels: [], position: 0 };
    for (let i = loop.items.length - 1; i > 0; i -= 1) {
      code.block();
      scope.labels[i] = code.depth;
    }
    this.#scopes.push(scope);
    this.#dispatch(scope);
    loop.items.forEach((item, i) => {
      if (i > 0) code.end();
      scope.position = i;
      if ('loop' in item) this.#sequence(item.loop, true);
      else this.#block(item.block);
    });
    this.#scopes.pop();
    if (isLoop) code.end();
  }

  /** Goes on to the block whose number is in `entry`, or to the item in which it is. 0: to none, it has been reached. */
  #dispatch({ loop, labels }: Scope): void {
    const { first, last, items } = loop;
    const { code, entry } = this.#emission;
    if (first === last) return;
    if (this.#scopes.length > 1) {
      code.localGet(entry);
      code.if();
    } else code.block();
    const here = code.depth;
    const table = Array.from({ length: last - first + 1 }, () => 0);
    items.forEach((item, i) => {
      if (i > 0) table.fill(here - (labels[i] ?? here), firstOf(item) - first, lastOf(item) - first + 1);
    });
    code.localGet(entry);
    code.i32Const(first + 1);
    code.i32Sub();
    code.brTable(table, 0);
    code.end();
  }

  #block(index: number): void {
    const emission = this.#emission;
    const { code } = emission;
    const block = this.#region.blocks[index];
    if (block === undefined) return;
    if (!this.#exists(index)) {
      emission.slow(block.pc);
      return;
    }
    code.i32Const(0);
    code.localSet(emission.entry);
    emission.beginBlock(block);
    for (const step of block.steps) {
      emission.beginStep(step);
      lower(emission, step);
      emission.endStep(step);
    }
    const next = (block.pc + 4 * block.steps.length) | 0;
    const { ending } = block;
    if (ending.kind === 'slow') emission.slow(next);
    else if (ending.kind === 'next') this.#goTo(next);
    else this.#branch(ending, next);
  }

  #branch(ending: Block['ending'] & { kind: 'branch' }, at: number): void {
    const emission = this.#emission;
    const { code } = emission;
    const { branch, slot, target } = ending;
    const { calls } = branch.effects;
    emission.beginStep(branch);
    lower(emission, branch);
    emission.beginSlot();
    lower(emission, slot);
    if (target === undefined) emission.jumpToTarget();
    else if (branch.flow.always) this.#goTo(target, calls);
    else {
      emission.getCondition();
      code.if();
      this.#goTo(target, calls, false);
      code.end();
      this.#goTo((at + 8) | 0);
    }
  }

  /** Goes on at an address; `mayFall` says whether falling through to the next item will do. */
  #goTo(target: number, isCall = false, mayFall = true): void {
    const emission = this.#emission;
    const index = isCall ? -1 : (this.#index.get(target) ?? -1);
    if (index < 0) emission.jump(target);
    else if (!this.#exists(index)) emission.slow(target);
    else this.#branchTo(index, mayFall);
  }

  #branchTo(index: number, mayFall: boolean): void {
    const { code, entry } = this.#emission;
    for (let s = this.#scopes.length - 1; s >= 0; s -= 1) {
      const scope = this.#scopes[s];
      if (scope === undefined || index < scope.loop.first || index > scope.loop.last) continue;
      if (scope.head >= 0 && index === scope.loop.first) {
        code.br(code.depth - scope.head);
        return;
      }
      const { items } = scope.loop;
      const place = items.findIndex((item) => firstOf(item) <= index && index <= lastOf(item));
      const item = items[place];
      const isFirst = item !== undefined && firstOf(item) === index;
      if (mayFall && isFirst && s === this.#scopes.length - 1 && place === scope.position + 1) return;
      if (!isFirst) {
        code.i32Const(index + 1);
        code.localSet(entry);
      }
      code.br(code.depth - (scope.labels[place] ?? 0));
      return;
    }
  }
}
