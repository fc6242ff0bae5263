/**
 * What an arriving segment does to a connection, in the order of the standard's own steps.
 *
 * Deviation: a SYN to a half-open passive connection is answered by a challenge acknowledgment, as in every later state,
 * instead of returning the connection to LISTEN; a peer that means it answers with RST. Deviation: text and FIN in a
 * segment with SYN are not taken; the peer sends them again. Urgent data is ordinary data.
 *
 * Source: [RFC9293 §3.10.7.3, §3.10.7.4], [RFC5961].
 */
import type { Connection } from './tcp-connection.ts';
import { ACK, RST, sequenceLength, SYN, type TcpSegment } from './tcp-segment.ts';
import { advance, distance } from './tcp-sequence.ts';

/** A segment with a right checksum arrived for a connection that is not over. */
export function segmentArrives(connection: Connection, segment: TcpSegment, now: number): void {
  if (connection.state === 'syn-sent') arriveInSynSent(connection, segment, now);
  else arrive(connection, segment, now);
}

function arriveInSynSent(connection: Connection, segment: TcpSegment, now: number): void {
  const { sender, host } = connection;
  const { ack, flags } = segment;
  if ((flags & ACK) !== 0 && !isOfOurSyn(connection, ack)) {
    host.counters.tcpUnacceptable += 1;
    if ((flags & RST) === 0) host.reply(connection, RST, ack, 0);
    return;
  }
  if ((flags & RST) !== 0) {
    if ((flags & ACK) === 0) return;
    host.counters.tcpResetsIn += 1;
    connection.end('refused');
    return;
  }
  if ((flags & SYN) === 0) return;
  connection.synArrived(segment);
  connection.heard(now);
  if ((flags & ACK) === 0) {
    // Both sides opened at once [RFC9293 §3.5, figure 7].
    connection.answerSyn();
    return;
  }
  sender.acknowledge(ack, now);
  connection.progressed(now);
  connection.establish();
  connection.acknowledgeNow();
}

function arrive(connection: Connection, segment: TcpSegment, now: number): void {
  const { sender, receiver, host } = connection;
  const { seq, ack, flags } = segment;
  const isSynAgain = (flags & SYN) !== 0 && connection.state === 'syn-received' && advance(seq, 1) === receiver.nxt;
  if (isSynAgain) {
    if ((flags & ACK) !== 0 && isOfOurSyn(connection, ack)) {
      // The second half of a simultaneous open: everything but the SYN is news.
      if (acknowledge(connection, segment, now)) connection.acknowledgeNow();
    } else if ((flags & RST) === 0) connection.answerSyn();
    return;
  }

  // First, the sequence number.
  const length = sequenceLength(segment);
  if (!receiver.isAcceptable(seq, length)) {
    host.counters.tcpUnacceptable += 1;
    if ((flags & RST) !== 0) return;
    if (length > 0 && (flags & SYN) === 0) connection.acknowledgeNow();
    else connection.challenge(now);
    // A probe of our closed window still carries a valid acknowledgment.
    if (seq !== receiver.nxt || (flags & SYN) !== 0) return;
  }

  // Second, RST: only the exact number ends a connection.
  if ((flags & RST) !== 0) {
    if (seq !== receiver.nxt) {
      connection.challenge(now);
      return;
    }
    host.counters.tcpResetsIn += 1;
    connection.end(resetMeaning(connection));
    return;
  }

  // Fourth, SYN. (The third step, security, does not exist here.)
  if ((flags & SYN) !== 0) {
    connection.challenge(now);
    return;
  }

  // Fifth, ACK.
  if ((flags & ACK) === 0 || !acknowledge(connection, segment, now)) return;
  if (sender.isFinAcknowledged) connection.finAcknowledged();

  // Seventh, the text; eighth, FIN. (The sixth step, URG, does not exist here.)
  if (!connection.canReceive || length === 0) return;
  const progress = receiver.accept(segment);
  if (progress !== 'none') connection.isChanged = true;
  else if (segment.to > segment.from) host.counters.tcpOutOfOrder += 1;
  if (progress === 'next') connection.acknowledgeSoon(segment.to - segment.from, now);
  else connection.acknowledgeNow();
  if (receiver.isAtFin) {
    receiver.takeFin();
    connection.peerClosed();
  }
}

/** The fifth step; false if the segment is to be dropped. */
function acknowledge(connection: Connection, segment: TcpSegment, now: number): boolean {
  const { sender, host } = connection;
  const { seq, ack } = segment;
  const window = connection.windowOf(segment);
  if (connection.state === 'syn-received') {
    if (!isOfOurSyn(connection, ack)) {
      host.counters.tcpUnacceptable += 1;
      host.reply(connection, RST, ack, 0);
      return false;
    }
    // No room to hand the connection over: as if the segment was lost. The SYN will be sent again.
    if (connection.owner?.canAccept() === false) return false;
    sender.acknowledge(ack, now);
    sender.updateWindow(seq, ack, window);
    connection.progressed(now);
    connection.heard(now);
    connection.establish();
    return true;
  }
  if (!sender.isPlausible(ack)) {
    host.counters.tcpUnacceptable += 1;
    connection.challenge(now);
    return false;
  }
  const isNews = sender.acknowledge(ack, now);
  const isWindowNew = sender.updateWindow(seq, ack, window);
  connection.heard(now);
  if (isNews) connection.progressed(now);
  else if (ack === sender.una && !isWindowNew && sequenceLength(segment) === 0 && sender.duplicateAck()) {
    host.counters.tcpFastRetransmissions += 1;
  }
  return true;
}

function isOfOurSyn({ sender }: Connection, ack: number): boolean {
  return distance(ack, sender.una) > 0 && distance(ack, sender.max) <= 0;
}

/** What a reset means to the program: nothing, if all that is missing is the end of the closing handshake. */
function resetMeaning(connection: Connection): 'refused' | 'reset' | undefined {
  const { state, sender } = connection;
  if (state === 'syn-received') return 'refused';
  return (state === 'closing' || state === 'last-ack') && sender.queued === 0 ? undefined : 'reset';
}
