/** Asks the time service of 10.0.0.1, three times, and again where no answer comes within a second. */
import { clock_sleep } from '@exokernel/libos-kit/assembly/clock';
import { print } from '@exokernel/libos-kit/assembly/console';
import { udp_open, udp_receive, udp_send } from '@exokernel/libos-kit/assembly/udp';

const SERVER: u32 = 0x0a000001;
const reply: usize = memory.data(8);

export function main(): i32 {
  const socket = udp_open(5000);
  if (socket < 0) return socket;
  for (let answers = 0; answers < 3;) {
    udp_send(socket, SERVER, 37, reply, 0);
    if (udp_receive(socket, reply, 8, 0, 64) != 8) continue;
    answers++;
    print(`answer ${load<i32>(reply, 4)}\n`);
    clock_sleep(16);
  }
  return 0;
}
