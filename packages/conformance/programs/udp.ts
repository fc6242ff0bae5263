import { E } from '@exokernel/libos-kit/assembly/abi';
import { udp_close, udp_open, udp_receive, udp_send } from './kit';
import { step } from './step';

const PEER: u32 = 0x0a000002;
const PEER_PORT: i32 = 5000;
const WAIT: i32 = 512;

const buffer = memory.data(2048);
const sender = memory.data(8);

/** datagrams of all lengths come as they were sent, and go back */
export function echo(): i32 {
  const socket = udp_open(7);
  if (socket < 0) return step(1, socket); // udp_open(7): no error
  while (true) {
    const length = udp_receive(socket, buffer, 1472, sender, -1);
    if (length < 0) return step(2, length); // udp_receive without end: a length
    if (length == 1) return 0;
    const sent = udp_send(socket, load<u32>(sender), load<i32>(sender, 4), buffer, length);
    if (sent != 0) return step(3, sent); // udp_send: 0
  }
}

/** each socket gets what is for its port, and no more of it than fits */
export function sockets(): i32 {
  const first = udp_open(7);
  if (first < 0) return step(1, first); // udp_open(7): no error
  const other = udp_open(8);
  if (other < 0) return step(2, other); // udp_open(8): no error
  const none = udp_receive(first, buffer, 64, sender, 0);
  if (none >= 0) return step(3, none); // udp_receive where nothing has come: an error
  const long = udp_send(first, PEER, PEER_PORT, buffer, 1473);
  if (long != E.RANGE) return step(4, long); // udp_send of 1473 bytes: -3
  String.UTF8.encodeUnsafe(changetype<usize>('begin'), 5, buffer);
  const sent = udp_send(first, PEER, PEER_PORT, buffer, 5);
  if (sent != 0) return step(5, sent); // udp_send of 5 bytes: 0
  store<u8>(buffer, 0x55, 6);
  const length = udp_receive(first, buffer, 6, sender, WAIT);
  if (length != 12) return step(6, length); // udp_receive at port 7, of which 6 bytes are taken: 12
  if (load<u8>(buffer, 5) != 0x65) return step(7, load<u8>(buffer, 5)); // the last byte that fits: 101
  if (load<u8>(buffer, 6) != 0x55) return step(8, load<u8>(buffer, 6)); // the byte behind it: 85
  if (load<u32>(sender) != PEER) return step(9, load<u8>(sender)); // the last byte of the sender's address: 2
  if (load<i32>(sender, 4) != PEER_PORT) return step(10, load<i32>(sender, 4)); // the sender's port: 5000
  const waiting = udp_receive(other, buffer, 64, 0, WAIT);
  if (waiting != 12) return step(11, waiting); // udp_receive at port 8: 12
  const back = udp_send(other, PEER, PEER_PORT, buffer, waiting);
  if (back != 0) return step(12, back); // udp_send from port 8: 0
  const closed = udp_close(other);
  if (closed != 0) return step(13, closed); // udp_close: 0
  const gone = udp_receive(other, buffer, 64, 0, 0);
  return gone < 0 ? 0 : step(14, gone); // udp_receive on what is closed: an error
}
