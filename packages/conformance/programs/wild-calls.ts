/** Every system call, with arguments of `chance`. Made from the table in `abi` by `npm run conformance:programs`: do not change it here. */
import * as aegis from '@exokernel/libos-kit/assembly/aegis';
import { known, next, slotAt, word } from './chance';

export function callAny(): void {
  const slot = slotAt(next());
  switch (next() % 45) {
    case 0:
      aegis.tlbwr(word(), word(), word(), word(), word());
      break;
    case 1:
      aegis.tlbvad(word());
      break;
    case 2:
      aegis.xmit(word(), slotAt(next()));
      break;
    case 3:
      aegis.tick(slotAt(next()));
      break;
    case 4:
      aegis.fpu_mod(word());
      break;
    case 5:
      aegis.msg_send(word(), word(), word(), word(), word(), word(), word(), word(), word());
      break;
    case 6:
      aegis.tlbvad_range(word(), word());
      break;
    case 7:
      aegis.frame_alloc(word(), slotAt(next()));
      break;
    case 8:
      aegis.frame_free(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3));
      break;
    case 9:
      aegis.cap_derive(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word(), word(), slotAt(next()));
      break;
    case 10:
      aegis.cap_revoke(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word());
      break;
    case 11:
      aegis.frame_guard(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word(), word(), word());
      break;
    case 12:
      aegis.revoke(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        word(),
        word(),
        word(),
        slotAt(next()),
      );
      break;
    case 13:
      if (next() % 64 == 0) aegis.env_free(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word());
      break;
    case 14:
      if (next() % 64 == 0)
        aegis.env_set(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word(), word());
      break;
    case 15:
      if (next() % 64 == 0)
        aegis.env_map(
          known(slot, 0),
          known(slot, 1),
          known(slot, 2),
          known(slot, 3),
          known(slot, 0),
          known(slot, 1),
          known(slot, 2),
          known(slot, 3),
          word(),
        );
      break;
    case 16:
      aegis.slice_free(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3));
      break;
    case 17:
      aegis.ring_bind(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word(), word(), slotAt(next()));
      break;
    case 18:
      aegis.ring_extend(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        slotAt(next()),
      );
      break;
    case 19:
      aegis.ring_free(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3));
      break;
    case 20:
      aegis.filter_bind(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        word(),
        word(),
        slotAt(next()),
      );
      break;
    case 21:
      aegis.filter_free(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3));
      break;
    case 22:
      aegis.ash_attach(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        word(),
      );
      break;
    case 23:
      aegis.ash_window(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        word(),
        slotAt(next()),
      );
      break;
    case 24:
      aegis.tap_bind(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
      );
      break;
    case 25:
      aegis.serial_write(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        word(),
        word(),
        word(),
        word(),
        word(),
        word(),
        word(),
        word(),
        slotAt(next()),
      );
      break;
    case 26:
      aegis.serial_read(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), slotAt(next()));
      break;
    case 27:
      aegis.frame_hold(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
      );
      break;
    case 28:
      aegis.disk_read(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        word(),
        word(),
      );
      break;
    case 29:
      aegis.disk_write(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        word(),
        word(),
      );
      break;
    case 30:
      aegis.slice_give(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word());
      break;
    case 31:
      aegis.slice_swap(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
      );
      break;
    case 32:
      aegis.wake_set(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word());
      break;
    case 33:
      aegis.msg_bind(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3));
      break;
    case 34:
      aegis.msg_free();
      break;
    case 35:
      aegis.extent_alloc(word(), word(), slotAt(next()));
      break;
    case 36:
      aegis.extent_free(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3));
      break;
    case 37:
      aegis.disk_request(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        word(),
        word(),
        word(),
      );
      break;
    case 38:
      aegis.bc_insert(
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        known(slot, 0),
        known(slot, 1),
        known(slot, 2),
        known(slot, 3),
        word(),
        word(),
      );
      break;
    case 39:
      aegis.bc_read(word(), word());
      break;
    case 40:
      aegis.bc_map(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word(), slotAt(next()));
      break;
    case 41:
      aegis.bc_dirty(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word(), word());
      break;
    case 42:
      aegis.bc_write(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word(), word());
      break;
    case 43:
      aegis.bc_remove(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word());
      break;
    case 44:
      aegis.bc_words(known(slot, 0), known(slot, 1), known(slot, 2), known(slot, 3), word(), word(), word());
      break;
  }
}
