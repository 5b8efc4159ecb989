/** Who a call's end is charged to: the words of the `call ended` line and of the metrics. */
export type Blame = 'caller' | 'agent' | 'operator' | 'provider' | 'gateway' | 'none';

/**
 * The closed list of why a call ended, each with who is to blame for it.
 * `none` means that the call ended as calls should.
 */
export const END_REASONS = {
  /** The remote party sent BYE (or closed its WebRTC connection). */
  'caller-hung-up': 'none',
  /** The remote party canceled before the answer. */
  'caller-canceled': 'none',
  /** The agent ended the call by its `end_call` tool or its phrasebook. */
  'agent-hung-up': 'none',
  /** The owner hung up through the API. */
  'operator-hung-up': 'none',
  /** The call was transferred away. */
  transferred: 'none',
  /** The last of the calls that its link was good for had just been taken by another. */
  'link-used-up': 'caller',
  /** The call reached its time limit. */
  'time-limit': 'none',
  /** Nobody spoke through every idle prompt. */
  'caller-silent': 'caller',
  /** No RTP came for the timeout while the call was not on hold. */
  'media-timeout': 'caller',
  /** A browser got our answer, but its media never connected (ICE, DTLS) in 15 s. */
  'media-never-connected': 'caller',
  /** Our 200 was never acknowledged (RFC 3261 §13.3.1.4). */
  'ack-timeout': 'caller',
  /**
   * The remote side vanished: its session timer ran out, it knows the dialog no more (408, 481),
   * or a browser's network was lost and did not come back.
   */
  'caller-lost': 'caller',
  /** No agent has that number or name. SIP 404. */
  'agent-not-found': 'caller',
  /** The agent is switched off. SIP 480. */
  'agent-disabled': 'operator',
  /** Offer and our codecs have nothing in common. SIP 488. */
  'no-common-codec': 'caller',
  /** The trunk insists on encrypted audio and the other side has plain audio only. SIP 488. */
  'encryption-required': 'caller',
  /** The session description could not be read. SIP 400. */
  'bad-offer': 'caller',
  /** The agent has as many calls as it may. SIP 486. */
  'agent-busy': 'operator',
  /** The workspace has as many calls at once as it may. SIP 486. */
  'workspace-busy': 'operator',
  /** The workspace's minutes or calls of the day or month are used up. SIP 480. */
  'quota-exceeded': 'operator',
  /** The workspace has spent what it may in the day or month. SIP 480. */
  'spend-cap-reached': 'operator',
  /** The daemon has as many calls, or media ports, as it may. SIP 503. */
  'at-capacity': 'gateway',
  /** Refused because the daemon is stopping. SIP 503. */
  draining: 'operator',
  /** Live when the daemon was told twice to stop, or its drain deadline passed. */
  'stopped-by-operator': 'operator',
  /** A speech or language provider failed beyond its retry budget. */
  'provider-failed': 'provider',
  /** The voice worker that held the call died. */
  'worker-crashed': 'gateway',
  /** The SIP engine, or the connection to it, was lost. */
  'sip-engine-lost': 'gateway',
  /** The daemon died while the call was live; closed at the next start. */
  'daemon-crashed': 'gateway',
  /** A bug of ours. */
  'internal-error': 'gateway',
  /** Outbound: a machine answered, and was hung up on or left a message, as the call asked. */
  'machine-answered': 'none',
  /** Outbound: the callee did not answer in time. */
  'no-answer': 'none',
  /** Outbound: 486 or 600. */
  'callee-busy': 'none',
  /** Outbound: any other refusal. */
  'callee-refused': 'caller',
  /** Outbound: no host of any trunk took the call: no answer, or 5xx before it rang. */
  'trunk-unavailable': 'provider',
} as const satisfies Record<string, Blame>;

export type EndReason = keyof typeof END_REASONS;

/** Who is to blame for an end. */
export function blameOf(reason: EndReason): Blame {
  return END_REASONS[reason];
}
