/** Totals since the start. Only ever grow. */
export interface Counters {
  packetsIn: number;
  requestsIn: number;
  responsesIn: number;
  retransmissionsIn: number;
  /** Dropped unread: the source is on no list. */
  droppedUnknownSource: number;
  /** Dropped unread: the source sends too much. */
  droppedRateLimited: number;
  /** Dropped unread: the source is ignored for a while. */
  droppedBanned: number;
  /** Sources that were banned. */
  bans: number;
  malformed: number;
  /** Of those: larger than any message may be. */
  oversized: number;
  /** Requests of programs that look for open doors. */
  scanners: number;
  /** Requests for calls of somebody else: tags or a source that do not fit. */
  spoofed: number;
  /** Requests whose credentials an application refused. */
  credentialFailures: number;
  /** INVITEs answered 503 because their source sent too many. */
  rejectedCallRate: number;
  /** New requests answered 503 because of load. */
  rejectedOverload: number;
  /** Responses and ACKs that belong to nothing. */
  strays: number;
  dialogsCreated: number;
  ackTimeouts: number;
  sessionsExpired: number;
  forksEnded: number;
}

export function newCounters(): Counters {
  return {
    packetsIn: 0,
    requestsIn: 0,
    responsesIn: 0,
    retransmissionsIn: 0,
    droppedUnknownSource: 0,
    droppedRateLimited: 0,
    droppedBanned: 0,
    bans: 0,
    malformed: 0,
    oversized: 0,
    scanners: 0,
    spoofed: 0,
    credentialFailures: 0,
    rejectedCallRate: 0,
    rejectedOverload: 0,
    strays: 0,
    dialogsCreated: 0,
    ackTimeouts: 0,
    sessionsExpired: 0,
    forksEnded: 0,
  };
}
