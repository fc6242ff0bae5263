import { ERRORS } from '@exokernel/abi';
export class Filters {
  bind(_env: number, _bytes: Uint8Array, _ring: number): number { return ERRORS.E_CODE; }
  attach(_env: number, _filter: number, _bytes: Uint8Array, _window: number): number { return ERRORS.E_CODE; }
  free(_env: number, _filter: number): number { return ERRORS.E_CAP; }
  release(_env: number): void { return; }
}
