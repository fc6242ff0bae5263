/** Step 8: the disk. A log in the extent has a record of each boot; this one appends its own. */
import { E } from '@exokernel/libos-kit/assembly/abi';
import { print } from '@exokernel/libos-kit/assembly/console';
import { EXTENT, extentBlocks } from '@exokernel/libos-kit/assembly/disk';
import { append, formatLog, openLog, sync } from '@exokernel/libos-kit/assembly/log';

let boots = 0;

export function main(): i32 {
  // Called for each record that is there, in order.
  const found = (position: i32, record: usize, length: i32): void => {
    if (length == 4) boots = load<i32>(record);
  };
  let code = openLog(EXTENT, extentBlocks(), found);
  if (code == E.NONE) {
    // A blank extent.
    code = formatLog(EXTENT, extentBlocks());
    if (code == 0) code = openLog(EXTENT, extentBlocks(), found);
  }
  if (code < 0) return code;
  const record = memory.data(4);
  store<i32>(record, boots + 1);
  code = append(record, 4);
  if (code >= 0) code = sync();
  if (code < 0) return code;
  print(`boot ${boots + 1}\n`);
  return 0;
}
