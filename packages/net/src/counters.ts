/** The counters of a stack: what arrived, what left, and every reason for which something was dropped. */

/** What has happened, in packets, since the stack was made. */
export interface Counters {
  /** Frames given to `receive`. */
  framesIn: number;
  /** Frames that a sink took. */
  framesOut: number;
  /** Frames for another station, of another protocol, or shorter than a header. */
  framesIgnored: number;
  /** Frames dropped because the output queue was full. */
  outputOverflow: number;

  arpMalformed: number;
  arpRequestsOut: number;
  arpRepliesOut: number;
  /** Addresses that no host answered for. */
  arpFailed: number;
  /** Frames given up because too many wait for the same address, or because no answer came. */
  arpDropped: number;

  ipMalformed: number;
  ipChecksum: number;
  /** Fragments, which are not reassembled. */
  ipFragments: number;
  /** Packets for another host, or from an address that no host can have. */
  ipMisaddressed: number;
  ipUnknownProtocol: number;
  /** Packets to a network without a route. */
  ipNoRoute: number;

  icmpMalformed: number;
  icmpIgnored: number;
  icmpEchoes: number;
  icmpUnreachablesOut: number;
  /** Unreachable messages that the rate limit held back. */
  icmpLimited: number;

  udpMalformed: number;
  udpIn: number;
  udpOut: number;
  udpClosedPort: number;
  /** Datagrams dropped because the socket's queue was full. */
  udpOverflow: number;

  tcpMalformed: number;
  tcpIn: number;
  tcpOut: number;
  tcpRetransmissions: number;
  tcpFastRetransmissions: number;
  /** Segments outside the window, and acknowledgments of what was never sent. */
  tcpUnacceptable: number;
  tcpChallengeAcks: number;
  /** Challenge acknowledgments that the rate limit held back. */
  tcpChallengesLimited: number;
  /** Segments with data that came ahead of their turn, or a second time. */
  tcpOutOfOrder: number;
  tcpResetsIn: number;
  tcpResetsOut: number;
  tcpOpened: number;
  tcpAccepted: number;
  tcpTimeouts: number;
  /** SYNs dropped because a backlog or the connection table was full. */
  tcpSynDropped: number;
  /** Half-open connections that gave way to newer ones. */
  tcpSynEvicted: number;
  /** TIME-WAIT entries that gave way to newer ones. */
  tcpTimeWaitEvicted: number;
  tcpZeroWindowProbes: number;
  /** Times that a connection's segments became shorter because a router said so. */
  tcpPathMtu: number;
}

export function createCounters(): Counters {
  return {
    framesIn: 0,
    framesOut: 0,
    framesIgnored: 0,
    outputOverflow: 0,
    arpMalformed: 0,
    arpRequestsOut: 0,
    arpRepliesOut: 0,
    arpFailed: 0,
    arpDropped: 0,
    ipMalformed: 0,
    ipChecksum: 0,
    ipFragments: 0,
    ipMisaddressed: 0,
    ipUnknownProtocol: 0,
    ipNoRoute: 0,
    icmpMalformed: 0,
    icmpIgnored: 0,
    icmpEchoes: 0,
    icmpUnreachablesOut: 0,
    icmpLimited: 0,
    udpMalformed: 0,
    udpIn: 0,
    udpOut: 0,
    udpClosedPort: 0,
    udpOverflow: 0,
    tcpMalformed: 0,
    tcpIn: 0,
    tcpOut: 0,
    tcpRetransmissions: 0,
    tcpFastRetransmissions: 0,
    tcpUnacceptable: 0,
    tcpChallengeAcks: 0,
    tcpChallengesLimited: 0,
    tcpOutOfOrder: 0,
    tcpResetsIn: 0,
    tcpResetsOut: 0,
    tcpOpened: 0,
    tcpAccepted: 0,
    tcpTimeouts: 0,
    tcpSynDropped: 0,
    tcpSynEvicted: 0,
    tcpTimeWaitEvicted: 0,
    tcpZeroWindowProbes: 0,
    tcpPathMtu: 0,
  };
}
