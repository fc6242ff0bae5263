/**
 * The tree of capabilities: its nodes, each the place from which one subtree of a resource's capabilities can be revoked. [SOSP95 §3.1]
 *
 * Node 0 is the root of every resource and is not in the table; every other node hangs below another and belongs to the
 * environment that made it. Both are of the same resource, unless one was come to through the other: the frame of a cached block
 * through a branch of the extent. A node that goes takes its subtree with it and gets a new generation, so a capability
 * of a node that lives is one whose way up to the root lives. Nodes of a resource that is no more are swept away when one is
 * wanted: their capabilities died with the resource's generation.
 *
 * The table is exposed. No two nodes of it are of one number at a time; the caller must not keep a number beyond its node's life.
 */
import { ENV_LIMIT, ERRORS, NODE, NODE_BYTES, NODE_DEPTH, NODE_LIMIT, NODES_PER_ENV, NO_ENV } from '@exokernel/abi';
import type { Families } from './families.ts';
import { PHYSICAL } from './layout.ts';
import { BitSets, Records, type KernelMemory } from './memory.ts';
import { NODE_STATE, TABLES } from './tables.ts';

/** Whose capability it is: of this kind, name and life. */
export interface Resource {
  readonly kind: number;
  readonly name: number;
  readonly generation: number;
}

export class Nodes {
  readonly #nodes: Records;
  readonly #memory: KernelMemory;
  readonly #families: Families;
  /** The words for which a record of the table has no room. */
  readonly #more: Records;
  /** Environments that hold the frame of a node through it, and those that have bound it otherwise; frames.ts sets them. */
  readonly holds: BitSets;
  readonly bindings: BitSets;

  constructor(memory: KernelMemory, families: Families) {
    this.#memory = memory;
    this.#families = families;
    this.#nodes = new Records(memory, PHYSICAL.nodes, NODE_BYTES, NODE_LIMIT);
    this.#more = new Records(memory, TABLES.nodeState);
    this.holds = new BitSets(memory, memory.table(TABLES.nodeHolds), ENV_LIMIT, NODE_LIMIT);
    this.bindings = new BitSets(memory, memory.table(TABLES.nodeBindings), ENV_LIMIT, NODE_LIMIT);
    for (let node = 0; node < NODE_LIMIT; node += 1) this.#set(node, NODE.owner, NO_ENV);
  }

  /**
   * A new node of `owner` below `parent`, which lives or is 0. `lives` tells whether a resource is still the same. Returns its
   * number; E_RANGE: too deep; E_NONE: no more of them, or not for this environment or its family.
   */
  make(parent: number, resource: Resource, owner: number, lives: (resource: Resource) => boolean): number {
    if (this.#depth(parent) >= NODE_DEPTH) return ERRORS.E_RANGE;
    this.#free(this.#all().filter((node) => !lives(this.resource(node))));
    const used = this.#all();
    if (used.filter((node) => this.owner(node) === owner).length >= NODES_PER_ENV) return ERRORS.E_NONE;
    const taken = new Set(used);
    let node = 1;
    while (taken.has(node)) node += 1;
    if (node >= NODE_LIMIT || !this.#families.take('nodes', this.#families.of(owner))) return ERRORS.E_NONE;
    this.#set(node, NODE.owner, owner);
    this.#set(node, NODE.parent, parent);
    this.#set(node, NODE.kind, resource.kind);
    this.#set(node, NODE.name, resource.name);
    this.#memory.setWide(resource.generation, ...this.#words(node, NODE.resource, NODE_STATE.resource));
    // Of the last node of this number, whose resource is gone, something may be left.
    this.holds.clear(node);
    this.bindings.clear(node);
    return node;
  }

  /** The generation of a node, which every capability of it is sealed with; undefined: there is no such node. The root has 0. */
  generation(node: number): number | undefined {
    if (node === 0) return 0;
    return node < NODE_LIMIT && this.owner(node) !== NO_ENV ? this.#life(node) : undefined;
  }

  /** Who made a node, or NO_ENV. */
  owner(node: number): number {
    return this.#get(node, NODE.owner);
  }

  parent(node: number): number {
    return this.#get(node, NODE.parent);
  }

  resource(node: number): Resource {
    return {
      kind: this.#get(node, NODE.kind),
      name: this.#get(node, NODE.name),
      generation: this.#memory.wide(...this.#words(node, NODE.resource, NODE_STATE.resource)),
    };
  }

  /** The nodes of a resource. */
  of({ kind, name, generation }: Resource): number[] {
    return this.#all().filter(
      (node) =>
        this.#get(node, NODE.name) === name &&
        this.#get(node, NODE.kind) === kind &&
        this.resource(node).generation === generation,
    );
  }

  /** How many there are. */
  get used(): number {
    return this.#all().length;
  }

  /** The first node that an environment made, or undefined. */
  firstOf(env: number): number | undefined {
    return this.#all().find((node) => this.owner(node) === env);
  }

  /** Whether a node, not the root, hangs somewhere below another or the root. */
  isBelow(node: number, above: number): boolean {
    let at = node;
    for (let depth = 0; at !== 0 && depth < NODE_DEPTH; depth += 1) {
      at = this.parent(at);
      if (at === above) return true;
    }
    return false;
  }

  /** The nodes of a resource that an environment has through a node of another resource. */
  cameThrough(resource: Resource, owner: number): number[] {
    return this.of(resource).filter((node) => {
      const parent = this.parent(node);
      return this.owner(node) === owner && parent !== 0 && this.#get(parent, NODE.kind) !== resource.kind;
    });
  }

  /** Ends a node and all that hang below it. Returns them. */
  end(node: number): ReadonlySet<number> {
    const subtree = this.#all().filter((other) => other === node || this.isBelow(other, node));
    this.#free(subtree);
    return new Set(subtree);
  }

  #free(nodes: readonly number[]): void {
    for (const node of nodes) {
      this.#families.give('nodes', this.#families.of(this.owner(node)));
      this.#set(node, NODE.owner, NO_ENV);
      this.#memory.setWide(this.#life(node) + 1, ...this.#words(node, NODE.generation, NODE_STATE.generation));
    }
  }

  #all(): number[] {
    return this.#nodes.filter((node) => node > 0 && this.owner(node) !== NO_ENV);
  }

  #depth(node: number): number {
    let depth = 0;
    for (let at = node; at !== 0 && depth < NODE_DEPTH; at = this.parent(at)) depth += 1;
    return depth;
  }

  #life(node: number): number {
    return this.#memory.wide(...this.#words(node, NODE.generation, NODE_STATE.generation));
  }

  /** Where the two words of a generation lie. */
  #words(node: number, low: number, high: number): readonly [low: number, high: number] {
    return [this.#nodes.address(node) + low, this.#more.address(node) + high];
  }

  #get(node: number, field: number): number {
    return this.#nodes.get(node, field);
  }

  #set(node: number, field: number, value: number): void {
    this.#nodes.set(node, field, value);
  }
}
