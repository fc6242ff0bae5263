/**
 * The tree of capabilities: its nodes, each the place from which one subtree of a resource's capabilities can be revoked. [SOSP95 §3.1]
 *
 * Node 0 is the root of every resource and is not in the table; every other node hangs below another and belongs to the
 * environment that made it. Both are of the same resource, unless one was come to through the other: the frame of a cached block
 * through a branch of the extent. A node that goes takes its subtree with it and gets a new generation, so a capability
 * of a node that lives is one whose way up to the root lives. A resource that ends takes its nodes with it.
 *
 * The table is exposed. No two nodes of it are of one number at a time; the caller must not keep a number beyond its node's life.
 * Three lists of nodes (links.ts) make that no work here grows with the table: those below a node, those of a resource, those
 * that an environment made.
 */
import { ENV_LIMIT, ERRORS, NODE, NODE_BYTES, NODE_DEPTH, NODE_LIMIT, NODES_PER_ENV, NO_ENV } from '@exokernel/abi';
import type { Families } from './families.ts';
import { PHYSICAL } from './layout.ts';
import { Links } from './links.ts';
import { BitSets, Records, type KernelMemory } from './memory.ts';
import { NODE_STATE, RESOURCE_LISTS, TABLES } from './tables.ts';

/** What a capability is for: one of a kind, by its name. */
export interface Resource {
  readonly kind: number;
  readonly name: number;
}

export class Nodes {
  readonly #nodes: Records;
  readonly #memory: KernelMemory;
  readonly #families: Families;
  /** The words for which a record of the table has no room. */
  readonly #more: Records;
  readonly #below: Links;
  readonly #ofResource: Links;
  readonly #ofOwner: Links;
  /** Environments that hold the frame of a node through it, and those that have bound it otherwise; frames.ts sets them. */
  readonly holds: BitSets;
  readonly bindings: BitSets;

  constructor(memory: KernelMemory, families: Families) {
    this.#memory = memory;
    this.#families = families;
    this.#nodes = new Records(memory, PHYSICAL.nodes, NODE_BYTES, NODE_LIMIT);
    this.#more = new Records(memory, TABLES.nodeState);
    this.#below = new Links(memory, TABLES.nodesBelow, NODE_LIMIT);
    this.#ofResource = new Links(memory, TABLES.nodesOfResource, NODE_LIMIT);
    this.#ofOwner = new Links(memory, TABLES.nodesOfOwner, NODE_LIMIT);
    this.holds = new BitSets(memory, memory.table(TABLES.nodeHolds), ENV_LIMIT, NODE_LIMIT);
    this.bindings = new BitSets(memory, memory.table(TABLES.nodeBindings), ENV_LIMIT, NODE_LIMIT);
    for (let node = 0; node < NODE_LIMIT; node += 1) this.#set(node, NODE.owner, NO_ENV);
  }

  /**
   * A new node of `owner` below `parent`, which lives or is 0. Returns its number; E_RANGE: too deep; E_NONE: no more of them, or
   * not for this environment or its family.
   */
  make(parent: number, { kind, name }: Resource, owner: number): number {
    if (this.#depth(parent) >= NODE_DEPTH) return ERRORS.E_RANGE;
    if (this.#ofOwner.members(owner).length >= NODES_PER_ENV) return ERRORS.E_NONE;
    // The families have no more than there are.
    if (!this.#families.take('nodes', this.#families.of(owner))) return ERRORS.E_NONE;
    const node = this.#nodes.find(NODE.owner, NO_ENV, 1);
    this.#set(node, NODE.owner, owner);
    this.#set(node, NODE.parent, parent);
    this.#set(node, NODE.kind, kind);
    this.#set(node, NODE.name, name);
    this.#below.add(parent, node);
    this.#ofResource.add(listOf({ kind, name }), node);
    this.#ofOwner.add(owner, node);
    return node;
  }

  /** The generation of a node, which every capability of it is sealed with; undefined: there is no such node. The root has 0. */
  generation(node: number): number | undefined {
    if (node === 0) return 0;
    return node < NODE_LIMIT && this.owner(node) !== NO_ENV ? this.#memory.wide(...this.#life(node)) : undefined;
  }

  /** Who made a node, or NO_ENV. */
  owner(node: number): number {
    return this.#get(node, NODE.owner);
  }

  parent(node: number): number {
    return this.#get(node, NODE.parent);
  }

  resource(node: number): Resource {
    return { kind: this.#get(node, NODE.kind), name: this.#get(node, NODE.name) };
  }

  /** The nodes of a resource, in no order. */
  of(resource: Resource): number[] {
    const { kind, name } = resource;
    return this.#ofResource
      .members(listOf(resource))
      .filter((node) => this.#get(node, NODE.name) === name && this.#get(node, NODE.kind) === kind);
  }

  /** Those that an environment made, in no order. */
  ownedBy(env: number): number[] {
    return this.#ofOwner.members(env);
  }

  /** Every node that there is. */
  all(): number[] {
    return this.#nodes.filter((node) => this.owner(node) !== NO_ENV);
  }

  /** How many there are. */
  get used(): number {
    return this.all().length;
  }

  /** Whether a node, not the root, hangs somewhere below another or the root. */
  isBelow(node: number, above: number): boolean {
    for (let at = node; at !== 0;) {
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

  /** The nodes that hang from a node. */
  below(node: number): number[] {
    return this.#below.members(node);
  }

  /** A node and all that hang below it, each before those below it. */
  subtree(node: number): number[] {
    const nodes = [node];
    for (let i = 0; i < nodes.length; i += 1) nodes.push(...this.below(nodes[i] ?? 0));
    return nodes;
  }

  /** Ends nodes that live: a subtree whole. What was held and bound through them the caller has ended. */
  end(nodes: readonly number[]): void {
    for (const node of nodes) {
      this.#below.remove(node);
      this.#ofResource.remove(node);
      this.#ofOwner.remove(node);
      this.#families.give('nodes', this.#families.of(this.owner(node)));
      this.#set(node, NODE.owner, NO_ENV);
      this.#memory.setWide(this.#memory.wide(...this.#life(node)) + 1, ...this.#life(node));
    }
  }

  /** Where the two words of a node's generation lie. */
  #life(node: number): readonly [low: number, high: number] {
    return [this.#nodes.address(node) + NODE.generation, this.#more.address(node) + NODE_STATE.generation];
  }

  #depth(node: number): number {
    let depth = 0;
    for (let at = node; at !== 0; at = this.parent(at)) depth += 1;
    return depth;
  }

  #get(node: number, field: number): number {
    return this.#nodes.get(node, field);
  }

  #set(node: number, field: number, value: number): void {
    this.#nodes.set(node, field, value);
  }
}

/** The list of the nodes of a resource, and of some others. */
function listOf({ kind, name }: Resource): number {
  return (name + kind * 31) % RESOURCE_LISTS;
}
