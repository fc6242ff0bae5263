/** Capturing a wire: its frames to a pcapng file, in the wire's time. */
import type { CaptureInterface, PcapngWriter } from '@exokernel/capture';
import type { Wire } from './wire.ts';

/**
 * Adds an interface to the capture, and every frame on the wire from now on, once each, at its last bit. The function
 * returned ends it.
 */
export function captureWire(wire: Wire, writer: PcapngWriter, from: CaptureInterface): () => void {
  const to = writer.addInterface(from);
  return wire.tap(({ bytes, time, damaged }) => {
    writer.addFrame(to, bytes, time, damaged);
  });
}
