/** The part of WebAssembly's API that is used here; the packages are compiled without the DOM's types. */

interface Table {
  readonly length: number;
  set(index: number, value: unknown): void;
  grow(delta: number): number;
}

interface Memory {
  readonly buffer: ArrayBuffer;
}

interface Api {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly Table: new (shape: { element: 'anyfunc'; initial: number }) => Table;
  readonly Memory: new (size: { initial: number; maximum: number }) => Memory;
}

export type { Memory, Table };
export const WebAssembly: Api = (globalThis as unknown as { readonly WebAssembly: Api }).WebAssembly;
