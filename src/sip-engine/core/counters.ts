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
  malformed: number;
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
    malformed: 0,
    rejectedOverload: 0,
    strays: 0,
    dialogsCreated: 0,
    ackTimeouts: 0,
    sessionsExpired: 0,
    forksEnded: 0,
  };
}
