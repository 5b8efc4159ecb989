import {
  type Invitation,
  Inviter,
  Registerer,
  RegistererState,
  type Session,
  SessionState,
  UserAgent,
} from 'sip.js';
import type { SessionDescriptionHandler } from 'sip.js/lib/platform/web/index.js';
import { play, type Softphone, type SoftphoneAccount } from './softphone.ts';

/** sip.js 0.21 as its own guides use it. */
class SipJsPhone implements Softphone {
  #userAgent: UserAgent | null = null;
  #registerer: Registerer | null = null;
  #session: Session | null = null;
  #onInvite: (invitation: Invitation) => void = () => {};
  #sockets: WebSocket[] = [];

  async start(account: SoftphoneAccount): Promise<void> {
    const sockets = this.#sockets;
    const Native = window.WebSocket;
    window.WebSocket = class extends Native {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    };
    const userAgent = new UserAgent({
      uri: UserAgent.makeURI(account.uri)!,
      transportOptions: { server: account.web_socket_url, keepAliveInterval: 5 },
      authorizationUsername: account.username,
      authorizationPassword: account.password,
      logLevel: 'error',
      delegate: { onInvite: (invitation) => this.#onInvite(invitation) },
    });
    this.#userAgent = userAgent;
    await userAgent.start();
  }

  async register(): Promise<string> {
    const registerer = new Registerer(this.#userAgent!, { expires: 120 });
    this.#registerer = registerer;
    return new Promise((resolve) => {
      registerer.stateChange.addListener((state) => {
        if (state === RegistererState.Registered) resolve('registered');
      });
      void registerer.register({
        requestDelegate: {
          onReject: ({ message }) => resolve(String(message.statusCode)),
        },
      });
    });
  }

  unregister(): Promise<void> {
    const registerer = this.#registerer!;
    return new Promise((resolve) => {
      // The promise of `unregister` is kept once the request is sent.
      registerer.stateChange.addListener((state) => {
        if (state === RegistererState.Unregistered) resolve();
      });
      void registerer.unregister();
    });
  }

  call(target: string): Promise<string> {
    const inviter = new Inviter(this.#userAgent!, UserAgent.makeURI(target)!);
    this.#follow(inviter);
    return new Promise((resolve) => {
      inviter.stateChange.addListener((state) => {
        if (state === SessionState.Established) resolve('established');
      });
      void inviter.invite({
        requestDelegate: { onReject: ({ message }) => resolve(String(message.statusCode)) },
      });
    });
  }

  async hangUp(): Promise<void> {
    const session = this.#session;
    if (session instanceof Inviter && session.state === SessionState.Establishing) {
      await session.cancel();
    } else await session?.bye();
  }

  async hold(isOn: boolean): Promise<string> {
    const session = this.#session!;
    session.sessionDescriptionHandlerOptionsReInvite = { hold: isOn } as object;
    return new Promise((resolve) => {
      void session.invite({
        requestDelegate: {
          onAccept: () => resolve('accepted'),
          onReject: ({ message }) => resolve(String(message.statusCode)),
        },
      });
    });
  }

  mute(isOn: boolean): void {
    for (const sender of this.#peer().getSenders()) {
      if (sender.track !== null) sender.track.enabled = !isOn;
    }
  }

  async sendDigit(digit: string, by: 'rtp' | 'info'): Promise<void> {
    if (by === 'rtp') {
      const handler = this.#session!.sessionDescriptionHandler as SessionDescriptionHandler;
      handler.sendDtmf(digit, { duration: 120, interToneGap: 80 });
      return;
    }
    const body = {
      contentDisposition: 'render',
      contentType: 'application/dtmf-relay',
      content: `Signal=${digit}\r\nDuration=160`,
    };
    await this.#session!.info({ requestOptions: { body } });
  }

  answerNext(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onInvite = (invitation) => {
        this.#follow(invitation);
        invitation.accept().then(() => resolve(), reject);
      };
    });
  }

  refuseNext(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onInvite = (invitation) =>
        void invitation.reject({ statusCode: 486 }).then(() => resolve(), reject);
    });
  }

  async reconnect(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#userAgent!.transport.onDisconnect = () => resolve();
    });
    this.#sockets.at(-1)?.close();
    await gone;
    await this.#userAgent!.reconnect();
    // As its guide says: only a registration tells the gateway where the browser is now.
    await this.#registerer?.register();
  }

  state(): string {
    switch (this.#session?.state) {
      case undefined:
        return 'idle';
      case SessionState.Established:
        return 'established';
      case SessionState.Terminated:
        return 'ended';
      default:
        return 'calling';
    }
  }

  #follow(session: Session): void {
    this.#session = session;
    session.stateChange.addListener((state) => {
      if (state !== SessionState.Established) return;
      const { remoteMediaStream } = session.sessionDescriptionHandler as SessionDescriptionHandler;
      play(remoteMediaStream);
    });
  }

  #peer(): RTCPeerConnection {
    const handler = this.#session!.sessionDescriptionHandler as SessionDescriptionHandler;
    return handler.peerConnection!;
  }
}

window.phone = new SipJsPhone();
