/** The compiled part of ExOS: exports the entry points of each interface that `src/library.ts` names in MODULES. */

export {
  file_append,
  file_create,
  file_find,
  file_format,
  file_list,
  file_read,
  file_remove,
  file_size,
} from '@exokernel/libos-kit/assembly/files';
export { udp_close, udp_open, udp_receive, udp_send } from '@exokernel/libos-kit/assembly/udp';
