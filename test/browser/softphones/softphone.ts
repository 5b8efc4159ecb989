/** How a softphone signs in, as the gateway gave it out. */
export interface SoftphoneAccount {
  readonly web_socket_url: string;
  readonly uri: string;
  readonly username: string;
  readonly password: string;
}

/** What the tests ask of a softphone in a page, whichever library it is made with. */
export interface Softphone {
  /** Connects; resolves when the WebSocket is open. */
  start(account: SoftphoneAccount): Promise<void>;
  /** Resolves with `registered`, or the status that refused it. */
  register(): Promise<string>;
  unregister(): Promise<void>;
  /** Resolves with `established` or the status that refused it. */
  call(target: string): Promise<string>;
  hangUp(): Promise<void>;
  hold(isOn: boolean): Promise<string>;
  mute(isOn: boolean): void;
  sendDigit(digit: string, by: 'rtp' | 'info'): Promise<void>;
  /** Takes the next call that comes in; resolves when it does. */
  answerNext(): Promise<void>;
  refuseNext(): Promise<void>;
  /** Cuts the WebSocket as a network would, and connects anew. */
  reconnect(): Promise<void>;
  /** `idle`, `calling`, `established` or `ended`. */
  state(): string;
}

declare global {
  interface Window {
    phone: Softphone;
  }
}

/** What a page hears goes to its loudspeaker. */
export function play(stream: MediaStream): void {
  const audio = document.querySelector('audio') ?? document.createElement('audio');
  audio.autoplay = true;
  audio.srcObject = stream;
  document.body.append(audio);
  void audio.play().catch(() => {});
}
