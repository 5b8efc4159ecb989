import JsSIP from 'jssip';
import type { RTCSession } from 'jssip/lib/RTCSession.js';
import { play, type Softphone, type SoftphoneAccount } from './softphone.ts';

/** JsSIP as its own guides use it. */
class JsSipPhone implements Softphone {
  #userAgent: InstanceType<typeof JsSIP.UA> | null = null;
  #session: RTCSession | null = null;
  #state = 'idle';
  #onIncoming: (session: RTCSession) => void = () => {};
  #sockets: WebSocket[] = [];

  start(account: SoftphoneAccount): Promise<void> {
    const sockets = this.#sockets;
    const Native = window.WebSocket;
    window.WebSocket = class extends Native {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    };
    const userAgent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(account.web_socket_url)],
      uri: account.uri,
      authorization_user: account.username,
      password: account.password,
      register: false,
      register_expires: 120,
      session_timers: true,
    });
    this.#userAgent = userAgent;
    userAgent.on(
      'newRTCSession',
      ({ session, originator }: { session: RTCSession; originator: string }) => {
        if (originator === 'remote') this.#onIncoming(session);
      },
    );
    return new Promise((resolve) => {
      userAgent.once('connected', () => resolve());
      userAgent.start();
    });
  }

  register(): Promise<string> {
    const userAgent = this.#userAgent!;
    return new Promise((resolve) => {
      userAgent.once('registered', () => resolve('registered'));
      userAgent.once('registrationFailed', ({ response }) =>
        resolve(String(response?.status_code ?? 'failed')),
      );
      userAgent.register();
    });
  }

  unregister(): Promise<void> {
    const userAgent = this.#userAgent!;
    return new Promise((resolve) => {
      userAgent.once('unregistered', () => resolve());
      userAgent.unregister();
    });
  }

  call(target: string): Promise<string> {
    return new Promise((resolve) => {
      const session = this.#userAgent!.call(target, {
        mediaConstraints: { audio: true, video: false },
        eventHandlers: {
          confirmed: () => resolve('established'),
          failed: ({ message, cause }) =>
            resolve(
              message !== null && 'status_code' in message ? String(message.status_code) : cause,
            ),
        },
      });
      this.#follow(session);
    });
  }

  async hangUp(): Promise<void> {
    this.#session?.terminate();
  }

  hold(isOn: boolean): Promise<string> {
    return new Promise((resolve) => {
      const done = () => resolve('accepted');
      const isSent = isOn ? this.#session!.hold({}, done) : this.#session!.unhold({}, done);
      if (!isSent) resolve('not sent');
    });
  }

  mute(isOn: boolean): void {
    if (isOn) this.#session?.mute({ audio: true });
    else this.#session?.unmute({ audio: true });
  }

  async sendDigit(digit: string, by: 'rtp' | 'info'): Promise<void> {
    const { RFC2833, INFO } = JsSIP.C.DTMF_TRANSPORT;
    const transportType = by === 'rtp' ? RFC2833 : INFO;
    this.#session!.sendDTMF(digit, { duration: 120, interToneGap: 80, transportType });
  }

  answerNext(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIncoming = (session) => {
        this.#follow(session);
        session.once('confirmed', () => resolve());
        // The INVITE brings no offer, and by itself JsSIP then offers no audio.
        session.answer({
          mediaConstraints: { audio: true, video: false },
          rtcOfferConstraints: { offerToReceiveAudio: true },
        });
      };
    });
  }

  refuseNext(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIncoming = (session) => {
        session.once('failed', () => resolve());
        session.terminate({ status_code: 486 });
      };
    });
  }

  reconnect(): Promise<void> {
    const userAgent = this.#userAgent!;
    return new Promise((resolve) => {
      // It connects anew by itself.
      userAgent.once('disconnected', () => userAgent.once('connected', () => resolve()));
      this.#sockets.at(-1)?.close();
    });
  }

  state(): string {
    return this.#state;
  }

  #follow(session: RTCSession): void {
    this.#session = session;
    this.#state = 'calling';
    session.on('confirmed', () => (this.#state = 'established'));
    session.on('ended', () => (this.#state = 'ended'));
    session.on('failed', () => (this.#state = 'ended'));
    const listen = (peer: RTCPeerConnection) =>
      peer.addEventListener('track', ({ streams, track }) =>
        play(streams[0] ?? new MediaStream([track])),
      );
    if (session.connection) listen(session.connection);
    else session.on('peerconnection', ({ peerconnection }) => listen(peerconnection));
  }
}

window.phone = new JsSipPhone();
