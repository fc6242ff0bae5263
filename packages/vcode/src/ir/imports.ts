/** What a call of an imported function is in the own profile. */
import type { Mnemonic } from '@exokernel/isa';

export type ImportCode =
  /** A routine that follows the convention of compiled functions. */
  | { readonly kind: 'routine'; readonly address: number }
  /** Instructions in line. All registers that a call may lose are lost. */
  | {
      readonly kind: 'inline';
      /** Registers of the arguments, by word. */
      readonly arguments: readonly number[];
      /** Registers of the results, by word. */
      readonly results: readonly number[];
      readonly lines: readonly { readonly mnemonic: Mnemonic; readonly operands: readonly number[] }[];
    }
  /** One access, which is never merged with another, left out or moved across one. */
  | { readonly kind: 'load' | 'store'; readonly size: 1 | 2 | 4; readonly signed: boolean };
