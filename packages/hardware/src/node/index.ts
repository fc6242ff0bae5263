/** What the machine can use of Node. */
export { captureFile, type CaptureFile } from './capture-file.ts';
export { datagramLink, type DatagramAddress, type DatagramLink } from './datagram-link.ts';
export { fileStore, type FileStore } from './file-store.ts';
export { connectStream, listenStream, type StreamAddress, type StreamListener } from './stream-link.ts';
