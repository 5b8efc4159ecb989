import { CallFailure } from './microphone.js';

/**
 * @typedef {'listening' | 'thinking' | 'speaking'} Activity
 * @typedef {{ readonly turnId: string, readonly role: 'user' | 'agent', readonly text: string,
 *   readonly isFinal: boolean }} Caption
 * @typedef {object} CallListener
 * @property {() => void} onConnected
 * @property {() => void} onReconnecting
 * @property {(activity: Activity) => void} onActivity
 * @property {(caption: Caption) => void} onCaption
 * @property {(stream: MediaStream) => void} onAudio what the agent says
 * @property {(reason: string) => void} onEnded once; nothing follows
 * @property {(failure: CallFailure) => void} onFailed once; nothing follows
 */

const CONNECT_TIMEOUT_MS = 15_000;
const DISCONNECTED_MS = 4000;
const RESUMES_MAX = 3;
const RESUME_PAUSE_MS = 1500;
const DIGIT_MS = 120;
const DIGIT_GAP_MS = 70;

/**
 * One call: one POST of an offer, one answer, audio both ways, and the gateway's events on a
 * data channel. It knows nothing of the page.
 *
 * The offer is sent without waiting for candidates: the gateway finds us by our own checks.
 */
export class CallClient {
  #offerUrl;
  #agentId;
  #token;
  #microphone;
  #listener;
  /** @type {RTCPeerConnection | null} */
  #peer = null;
  /**
   * The connection that was lost, kept until another works: closing it would end the call.
   *
   * @type {RTCPeerConnection | null}
   */
  #abandoned = null;
  /** @type {RTCDataChannel | null} */
  #channel = null;
  /** @type {{ callId: string, token: string } | null} */
  #resumption = null;
  #resumes = 0;
  #isLive = false;
  #isOver = false;
  #timer = 0;
  #abort = new AbortController();

  /**
   * @param {{ offerUrl: string, agentId?: string, token?: string, microphone: MediaStream,
   *   listener: CallListener }} options `token` is sent as a bearer's
   */
  constructor({ offerUrl, agentId, token, microphone, listener }) {
    this.#offerUrl = offerUrl;
    this.#agentId = agentId;
    this.#token = token;
    this.#microphone = microphone;
    this.#listener = listener;
  }

  /** Never rejects: failures go to the listener. */
  async start() {
    try {
      await this.#connect();
    } catch (error) {
      this.#fail(error instanceof CallFailure ? error : new CallFailure('refused'));
    }
  }

  hangUp() {
    if (this.#isOver) return;
    if (this.#channel?.readyState === 'open') {
      this.#channel.send(JSON.stringify({ type: 'hang-up' }));
    }
    this.#end('caller-hung-up');
  }

  /** @param {boolean} isMuted */
  setMuted(isMuted) {
    for (const track of this.#microphone.getAudioTracks()) track.enabled = !isMuted;
  }

  /** @param {string} digit */
  sendDigit(digit) {
    const sender = this.#peer?.getSenders().find(({ track }) => track?.kind === 'audio');
    if (!sender?.dtmf?.canInsertDTMF) return;
    sender.dtmf.insertDTMF(sender.dtmf.toneBuffer + digit, DIGIT_MS, DIGIT_GAP_MS);
  }

  async #connect() {
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    if (this.#abandoned === null) this.#abandoned = this.#peer;
    else this.#peer?.close();
    this.#peer = peer;
    for (const track of this.#microphone.getAudioTracks()) peer.addTrack(track, this.#microphone);
    this.#listenTo(peer, peer.createDataChannel('events'));
    peer.addEventListener('track', ({ streams, track }) => {
      this.#listener.onAudio(streams[0] ?? new MediaStream([track]));
    });
    await peer.setLocalDescription();
    const sdp = await this.#postOffer(peer.localDescription?.sdp ?? '');
    if (this.#isOver) return;
    this.#startTimer(CONNECT_TIMEOUT_MS, () => this.#onLost(peer));
    await peer.setRemoteDescription({ type: 'answer', sdp });
  }

  /**
   * @param {RTCPeerConnection} peer
   * @param {RTCDataChannel} channel
   */
  #listenTo(peer, channel) {
    this.#channel = channel;
    channel.addEventListener('message', ({ data }) => this.#onMessage(String(data)));
    peer.addEventListener('connectionstatechange', () => {
      if (peer !== this.#peer || this.#isOver) return;
      const state = peer.connectionState;
      if (state === 'connected') this.#onConnected();
      if (state === 'failed') this.#onLost(peer);
      if (state === 'disconnected') this.#startTimer(DISCONNECTED_MS, () => this.#onLost(peer));
    });
    // The gateway ended the association without a word: the call is over.
    channel.addEventListener('close', () => {
      if (peer === this.#peer && this.#isLive) this.#end('');
    });
  }

  /**
   * @param {string} sdp
   * @returns {Promise<string>} the answer; rejects with `CallFailure`
   */
  async #postOffer(sdp) {
    const resumed = this.#resumption;
    const body = {
      sdp,
      type: 'offer',
      agent_id: this.#agentId,
      ...(resumed === null ? {} : { call_id: resumed.callId, resume_token: resumed.token }),
    };
    const response = await fetch(this.#offerUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      },
      body: JSON.stringify(body),
      signal: this.#abort.signal,
    }).catch(() => {
      throw new CallFailure('unreachable');
    });
    if (!response.ok) throw failureOf(response);
    const answer = await response.json();
    if (typeof answer.resume_token === 'string') {
      this.#resumption = { callId: String(answer.call_id), token: answer.resume_token };
    }
    return String(answer.sdp);
  }

  #onConnected() {
    clearTimeout(this.#timer);
    this.#abandoned?.close();
    this.#abandoned = null;
    this.#resumes = 0;
    this.#isLive = true;
    this.#listener.onConnected();
  }

  /**
   * Before the first connection there is nothing to resume; later a new offer may carry the
   * call on, where the gateway gave us a token for that.
   *
   * @param {RTCPeerConnection} peer
   */
  #onLost(peer) {
    if (peer !== this.#peer || this.#isOver) return;
    if (!this.#isLive) return this.#fail(new CallFailure('unreachable'));
    if (this.#resumption === null || this.#resumes >= RESUMES_MAX) {
      return this.#fail(new CallFailure('network-lost'));
    }
    this.#listener.onReconnecting();
    this.#resumes += 1;
    const pauseMs = this.#resumes === 1 ? 0 : RESUME_PAUSE_MS;
    this.#startTimer(pauseMs, () => {
      this.#connect().catch((error) => {
        const isOffline = error instanceof CallFailure && error.kind === 'unreachable';
        const latest = this.#peer;
        if (isOffline && latest !== null) this.#onLost(latest);
        else this.#fail(new CallFailure('network-lost'));
      });
    });
  }

  /** @param {string} text */
  #onMessage(text) {
    /** @type {Record<string, unknown>} */
    let event;
    try {
      event = JSON.parse(text);
    } catch {
      return;
    }
    const { type, activity } = event;
    if (type === 'ended') this.#end(String(event.reason));
    if (type !== 'activity' && type !== 'caption') return;
    if (activity === 'listening' || activity === 'thinking' || activity === 'speaking') {
      this.#listener.onActivity(activity);
    }
    if (type !== 'caption') return;
    this.#listener.onCaption({
      turnId: String(event.turn_id),
      role: event.role === 'agent' ? 'agent' : 'user',
      text: String(event.text),
      isFinal: event.is_final === true,
    });
  }

  /** @param {string} reason */
  #end(reason) {
    if (this.#close()) this.#listener.onEnded(reason);
  }

  /** @param {CallFailure} failure */
  #fail(failure) {
    if (this.#close()) this.#listener.onFailed(failure);
  }

  #close() {
    if (this.#isOver) return false;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#abort.abort();
    const peers = [this.#peer, this.#abandoned];
    // A moment for the hang-up message to leave.
    setTimeout(() => {
      for (const peer of peers) peer?.close();
    }, 100);
    return true;
  }

  /**
   * @param {number} afterMs
   * @param {() => void} work
   */
  #startTimer(afterMs, work) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(work, afterMs);
  }
}

/**
 * @param {Response} response
 * @returns {CallFailure}
 */
function failureOf(response) {
  const seconds = Number(response.headers.get('retry-after'));
  const retryAfterSeconds = Number.isFinite(seconds) && seconds > 0 ? seconds : null;
  switch (response.status) {
    case 401:
    case 404:
      return new CallFailure('link-off');
    case 429:
      return new CallFailure('rate-limited', retryAfterSeconds);
    case 503:
      return new CallFailure('busy', retryAfterSeconds);
    default:
      return new CallFailure('refused');
  }
}
