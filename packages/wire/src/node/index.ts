/** Links that need Node: streams over sockets, UDP datagrams. */
export { datagramLink, type DatagramAddress, type DatagramLink } from './datagram-link.ts';
export { connectStream, listenStream, type StreamAddress, type StreamListener } from './stream-link.ts';
