/**
 * Self-authenticating capabilities: made and checked with a key that only the kernel knows. [SOSP95 §3.1]
 *
 * The MAC is keyed BLAKE2s-64 over kind, rights, node and name, and over the generations of resource and node, two words each,
 * which do not travel: a capability for an earlier life of either never authenticates. A generation of one word could be brought
 * round in two to fifteen weeks. Comparison is constant-time. Capabilities
 * of one node are revoked together, with those of all nodes below it (nodes.ts); the bindings made through them are broken by
 * force, by the parts of the kernel that made them.
 *
 * Every resource is guarded here, in one way: its part of the kernel tells with `guard` what generation a name of its kind
 * is in, asks with `check`, and if its bindings outlive the call it notes their node (`nodeOf`) and listens (`breaking`).
 * docs/mechanisms/rights.md lists every binding and what ends it.
 */
import { CAPABILITY_KINDS, ERRORS, type CapabilityKind, type CapabilityWords } from '@exokernel/abi';
import { blake2s } from '@noble/hashes/blake2.js';
import { COSTS } from './costs.ts';
import type { KernelMemory } from './memory.ts';
import type { Nodes, Resource } from './nodes.ts';
import { TABLES } from './tables.ts';

const MAC_BYTES = 8;
const KEY_BYTES = 32;
const NODE_MASK = 0xffff;
/**
 * The record of a node; for each resource a flush and a look at what binds it; and for each environment that holds or has bound its
 * frame, a look at all that may bind it.
 */
const COST_OF_NODE = 800;
const COST_OF_RESOURCE = 17_200;
const COST_OF_MEMBER = 8000;

/** The present generation of the resource with this name, 0 to 2^53 − 1; undefined if there is none. */
export type GenerationOf = (name: number) => number | undefined;

/** Breaks the bindings to a resource, by name, that were made through capabilities of these nodes. */
export type Break = (name: number, nodes: ReadonlySet<number>) => void;

export class Capabilities {
  readonly nodes: Nodes;
  readonly #memory: KernelMemory;
  /** The parts that guard a kind and break its bindings, as they registered when the kernel was made. */
  readonly #generations = new Map<number, GenerationOf>();
  readonly #breaking: (readonly [kind: number, breaks: Break])[] = [];

  /** `secret` seeds the key; any length. */
  constructor(memory: KernelMemory, secret: Uint8Array, nodes: Nodes) {
    this.#memory = memory;
    this.nodes = nodes;
    memory.write(memory.table(TABLES.key), blake2s(secret, { dkLen: KEY_BYTES }));
    memory.write(memory.table(TABLES.key) + KEY_BYTES, new Uint8Array(Uint32Array.from(this.#mac(0, 0, 0, 0)).buffer));
  }

  /** The resources of a kind from now on. */
  guard(kind: CapabilityKind, generationOf: GenerationOf): void {
    this.#generations.set(CAPABILITY_KINDS[kind], generationOf);
  }

  /** From now on `breaks` is called when nodes of a living resource of this kind have been revoked. */
  breaking(kind: CapabilityKind, breaks: Break): void {
    this.#breaking.push([CAPABILITY_KINDS[kind], breaks]);
  }

  /** The capability with these rights at the root of a resource's present life, which must exist. */
  make(kind: CapabilityKind, rights: number, name: number): CapabilityWords {
    return this.#make(CAPABILITY_KINDS[kind], rights, 0, name);
  }

  /** MAC words that no capability has and that are never told: they stand where nothing is to be granted. */
  get noMac(): readonly [number, number] {
    const at = this.#memory.table(TABLES.key) + KEY_BYTES;
    return [this.#memory.get(at), this.#memory.get(at + 4)];
  }

  /**
   * The name of the resource, if `words` is a capability of this kind with at least these rights for its present
   * generation; else E_CAP.
   */
  check(words: CapabilityWords, kind: CapabilityKind, rights: number): number {
    const valid = words[0] >>> 24 === CAPABILITY_KINDS[kind] && this.#grants(words, rights);
    return valid ? words[1] >>> 0 : ERRORS.E_CAP;
  }

  /** The capability of the same node with these rights, or E_CAP: if `parent` is none, or has not all of them. */
  derive(parent: CapabilityWords, rights: number): CapabilityWords | number {
    if (!this.#grants(parent, rights)) return ERRORS.E_CAP;
    return this.#make(parent[0] >>> 24, rights, nodeOf(parent), parent[1] >>> 0);
  }

  /** The same of a new node below it, which `env` makes; also E_RANGE: too deep, E_NONE: no node left. */
  branch(parent: CapabilityWords, rights: number, env: number): CapabilityWords | number {
    if (!this.#grants(parent, rights)) return ERRORS.E_CAP;
    const [kind, name] = [parent[0] >>> 24, parent[1] >>> 0];
    const node = this.nodes.make(nodeOf(parent), { kind, name }, env);
    return node < 0 ? node : this.#make(kind, rights, node, name);
  }

  /**
   * The capability with these rights for a resource that `env` came to through `parent`, a node of another resource: of a node
   * below that, so that it ends with it. There is one such node for each of them. Also E_RANGE: too deep, E_NONE: no node left.
   */
  under(parent: number, kind: CapabilityKind, rights: number, name: number, env: number): CapabilityWords | number {
    const resource = { kind: CAPABILITY_KINDS[kind], name };
    const old = this.nodes
      .of(resource)
      .find((one) => this.nodes.parent(one) === parent && this.nodes.owner(one) === env);
    const node = old ?? this.nodes.make(parent, resource, env);
    return node < 0 ? node : this.#make(resource.kind, rights, node, name);
  }

  /** The node that a capability may revoke, with its subtree: one that hangs below the capability's own; else E_CAP. */
  revocable(words: CapabilityWords, node: number): number {
    if (!this.#grants(words, 0) || this.nodes.generation(node) === undefined) return ERRORS.E_CAP;
    const { kind, name } = this.nodes.resource(node);
    const same = kind === words[0] >>> 24 && name === words[1] >>> 0;
    return same && this.nodes.isBelow(node, nodeOf(words)) ? node : ERRORS.E_CAP;
  }

  /** What it costs at most to end a node with its subtree, each of which may be of a resource of its own. */
  costOfEnd(node: number): number {
    return this.#costOf(this.nodes.subtree(node));
  }

  /** What `release` costs at most. */
  costOfRelease(env: number): number {
    return this.#costOfEnd(this.nodes.ownedBy(env));
  }

  /** What it costs at most to end what an environment has of a resource through one of another kind (Nodes.cameThrough). */
  costOfEndingThrough(kind: CapabilityKind, name: number, env: number): number {
    return this.#costOfEnd(this.nodes.cameThrough({ kind: CAPABILITY_KINDS[kind], name }, env));
  }

  /** What `endAll` costs at most. */
  costOfEndAll(kind: CapabilityKind, name: number): number {
    return this.#costOfEnd(this.nodes.of({ kind: CAPABILITY_KINDS[kind], name }));
  }

  /** What it costs at most to end all nodes of a resource below whose nodes hang none of others. */
  costOfForget(kind: CapabilityKind, name: number): number {
    return this.#costOf(this.nodes.of({ kind: CAPABILITY_KINDS[kind], name }));
  }

  #costOf(nodes: readonly number[]): number {
    const { holds, bindings } = this.nodes;
    const groups = new Map<number, number[]>();
    for (const node of nodes) {
      const key = resourceKey(this.nodes.resource(node));
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [node]);
      else group.push(node);
    }
    let cost = nodes.length * COST_OF_NODE;
    for (const some of groups.values()) {
      const members = holds.union(some).length + bindings.union(some).length;
      cost += COST_OF_RESOURCE + members * COST_OF_MEMBER;
    }
    return cost;
  }

  /** Of several nodes, some of which may hang below others of them. */
  #costOfEnd(nodes: readonly number[]): number {
    const seen = new Set<number>();
    let cost = 0;
    for (const node of nodes) {
      if (seen.has(node)) continue;
      const subtree = this.nodes.subtree(node).filter((one) => !seen.has(one));
      for (const one of subtree) seen.add(one);
      cost += this.#costOf(subtree);
    }
    return cost;
  }

  /** An environment ends: the nodes that it made go, with their subtrees. */
  release(env: number): void {
    this.endEach(this.nodes.ownedBy(env));
  }

  /** A resource is about to end: its nodes go, those of other resources below them, and what was bound through any of them. */
  endAll(kind: CapabilityKind, name: number): void {
    this.endEach(this.nodes.of({ kind: CAPABILITY_KINDS[kind], name }));
  }

  /** A resource ends, and nothing is bound to it any more: its nodes go. */
  forget(kind: CapabilityKind, name: number): void {
    const resource = { kind: CAPABILITY_KINDS[kind], name };
    this.endEach(this.nodes.of(resource), resource);
  }

  /** These nodes end, with their subtrees; some of them may end with others of them. */
  endEach(nodes: readonly number[], unbound?: Resource): void {
    for (const node of nodes) if (this.nodes.generation(node) !== undefined) this.end(node, unbound);
  }

  /** A node goes, with its subtree, and what was bound through them, but to the resource that is `unbound` already. */
  end(node: number, unbound?: Resource): void {
    const resources = new Map<number, { readonly resource: Resource; readonly gone: Set<number> }>();
    const subtree = this.nodes.subtree(node);
    for (const one of subtree) {
      const resource = this.nodes.resource(one);
      const key = resourceKey(resource);
      const group = resources.get(key) ?? { resource, gone: new Set() };
      resources.set(key, group);
      group.gone.add(one);
    }
    this.nodes.end(subtree);
    for (const { resource, gone } of resources.values()) {
      if (unbound !== undefined && isSame(unbound, resource)) continue;
      for (const [kind, breaks] of this.#breaking) if (kind === resource.kind) breaks(resource.name, gone);
    }
    for (const one of subtree) {
      this.nodes.holds.clear(one);
      this.nodes.bindings.clear(one);
    }
  }

  /** Whether there is such a resource. */
  exists({ kind, name }: Resource): boolean {
    return this.#generations.get(kind)?.(name) !== undefined;
  }

  #grants(words: CapabilityWords, rights: number): boolean {
    const [head, name, low, high] = words;
    const generation = this.#generations.get(head >>> 24)?.(name >>> 0);
    const node = this.nodes.generation(nodeOf(words));
    if (generation === undefined || node === undefined || ((head >>> 16) & rights) !== rights) return false;
    const mac = this.#mac(head, name, generation, node);
    return ((mac[0] ^ low) | (mac[1] ^ high)) === 0;
  }

  #make(kind: number, rights: number, node: number, name: number): CapabilityWords {
    const head = ((kind << 24) | ((rights & 0xff) << 16) | node) >>> 0;
    const generation = this.#generations.get(kind)?.(name) ?? 0;
    const [low, high] = this.#mac(head, name, generation, this.nodes.generation(node) ?? 0);
    return [head, name >>> 0, low, high];
  }

  /** The two MAC words of a capability with these first two words for that life of its resource and its node. */
  #mac(head: number, name: number, generation: number, node: number): readonly [number, number] {
    const message = new DataView(new ArrayBuffer(24));
    [head, name, ...words(generation), ...words(node)].forEach((word, i) => {
      message.setUint32(4 * i, word, true);
    });
    this.#memory.charge(1, COSTS.mac);
    const key = this.#memory.bytes(this.#memory.table(TABLES.key), KEY_BYTES);
    const mac = new DataView(blake2s(new Uint8Array(message.buffer), { key, dkLen: MAC_BYTES }).buffer);
    return [mac.getUint32(0, true), mac.getUint32(4, true)];
  }
}

/** The two words of a generation. */
function words(generation: number): readonly [low: number, high: number] {
  return [generation >>> 0, Math.floor(generation / 2 ** 32)];
}

/** A number for a resource, of no other. */
function resourceKey({ kind, name }: Resource): number {
  return kind * 2 ** 32 + name;
}

function isSame(one: Resource, other: Resource): boolean {
  return one.kind === other.kind && one.name === other.name;
}

/** The node of a capability; 0 is the root. */
export function nodeOf(words: CapabilityWords): number {
  return words[0] & NODE_MASK;
}

export function isNull(words: CapabilityWords): boolean {
  return words.every((word) => word === 0);
}
