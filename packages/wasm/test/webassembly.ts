/** The part of the host's WebAssembly that these tests use. */
interface Host {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports?: object) => { readonly exports: Record<string, unknown> };
  readonly Memory: new (limits: { initial: number; maximum?: number }) => { readonly buffer: ArrayBuffer };
}
export const WebAssembly: Host = (globalThis as unknown as { readonly WebAssembly: Host }).WebAssembly;
