import { CallClient } from './call-client.js';
import { Captions } from './captions.js';
import { element, icon } from './dom.js';
import { keypad } from './keypad.js';
import { CallFailure, LevelMeter, openMicrophone, stopStream } from './microphone.js';
import { clock, FAILURES, wordsOfEnd } from './words.js';

/**
 * @typedef {'idle' | 'checking' | 'connecting' | 'listening' | 'thinking' | 'speaking' |
 *   'reconnecting' | 'ended' | 'failed'} ViewState
 */

/** @type {Readonly<Record<ViewState, string>>} */
const STATE_WORDS = {
  idle: 'Ready when you are',
  checking: 'Say something',
  connecting: 'Connecting…',
  listening: 'Listening',
  thinking: 'Thinking…',
  speaking: 'Speaking',
  reconnecting: 'Reconnecting…',
  ended: 'Call ended',
  failed: '',
};
const IN_CALL = new Set(['connecting', 'listening', 'thinking', 'speaking', 'reconnecting']);
/** A level above this, on three readings, is a voice. */
const HEARD_LEVEL = 0.35;
const HEARD_READINGS = 3;
const METER_MS = 50;
/** The agent warns at this point too. */
const SHORT_SECONDS = 30;

/**
 * The whole of a call as a person sees it:
 *
 *     idle ⇄ checking
 *      └──────┴──▶ connecting ─▶ listening ⇄ thinking ⇄ speaking ─▶ ended
 *                     └─▶ failed        └─▶ reconnecting ─▶ failed
 *
 * `data-state` on the root carries the state for the stylesheet.
 */
export class CallView {
  #options;
  /** @type {ViewState} */
  #state = 'idle';
  /** @type {CallClient | null} */
  #call = null;
  /** @type {MediaStream | null} */
  #microphone = null;
  /** @type {LevelMeter | null} */
  #meter = null;
  #meterTimer = 0;
  #clockTimer = 0;
  #startedAtMs = 0;
  #isMuted = false;
  #heardReadings = 0;

  #captions = new Captions();
  #audio = element('audio', { autoplay: '', playsinline: '' });
  #ring = element('div', { class: 'ring', 'aria-hidden': 'true' });
  #callButton = element('button', { type: 'button', class: 'call-button' });
  #stateWord = element('p', { class: 'state', role: 'status' });
  #detail = element('p', { class: 'detail', role: 'status' });
  #clock = element('p', { class: 'clock', role: 'timer', 'aria-label': 'Call time' });
  #level = element('meter', { class: 'level', min: '0', max: '1', value: '0' });
  #check = element('button', { type: 'button', class: 'quiet' }, 'Check your microphone');
  #checkWord = element('p', { class: 'check-word', role: 'status' });
  #mute = element('button', { type: 'button', class: 'tool', 'aria-pressed': 'false' });
  #keypadButton = element('button', { type: 'button', class: 'tool', 'aria-expanded': 'false' });
  #keypad = keypad((digit) => this.#press(digit));
  #pressed = element('p', { class: 'pressed', 'aria-live': 'polite' });
  #alert = element('div', { class: 'alert', role: 'alert' });
  root = element('div', { class: 'call' });

  /**
   * @param {{ readonly offerUrl: string, readonly agentId?: string, readonly token?: string,
   *   readonly limitSeconds?: number, readonly onOver?: () => void }} options
   *   `onOver` is called after each call that was had
   */
  constructor(options) {
    this.#options = options;
    this.#level.setAttribute('aria-label', 'Microphone level');
    this.#keypadButton.setAttribute('aria-controls', 'keypad');
    this.#keypadButton.append(icon('keypad'), element('span', {}, 'Keypad'));
    this.root.append(
      element('div', { class: 'stage' }, this.#ring, this.#callButton),
      element('div', { class: 'status' }, this.#stateWord, this.#detail, this.#clock),
      this.#alert,
      element('div', { class: 'check' }, this.#check, this.#level, this.#checkWord),
      element('div', { class: 'tools' }, this.#mute, this.#keypadButton),
      element('div', { class: 'keypad-area' }, this.#pressed, this.#keypad),
      this.#captions.root,
      this.#audio,
    );
    this.#callButton.addEventListener('click', () => this.#toggleCall());
    this.#check.addEventListener('click', () => void this.#toggleCheck());
    this.#mute.addEventListener('click', () => this.#toggleMute());
    this.#keypadButton.addEventListener('click', () => this.#toggleKeypad());
    window.addEventListener('pagehide', () => this.#call?.hangUp());
    this.#showMute();
    this.#show('idle');
  }

  #toggleCall() {
    if (IN_CALL.has(this.#state)) this.#call?.hangUp();
    else void this.#startCall();
  }

  async #startCall() {
    this.#stopMeter();
    this.#captions.clear();
    this.root.classList.remove('has-captions');
    this.#clock.textContent = '';
    this.#pressed.textContent = '';
    this.#isMuted = false;
    this.#showMute();
    this.#show('connecting');
    const microphone = await this.#takeMicrophone();
    if (microphone === null) return;
    this.#call = new CallClient({ ...this.#options, microphone, listener: this.#listener() });
    await this.#call.start();
  }

  /** @returns {import('./call-client.js').CallListener} */
  #listener() {
    return {
      onConnected: () => {
        if (this.#startedAtMs === 0) this.#startClock();
        this.#startMeter();
        this.#show('listening');
      },
      onReconnecting: () => this.#show('reconnecting'),
      onActivity: (activity) => this.#show(activity),
      onCaption: (caption) => {
        this.#captions.show(caption);
        this.root.classList.add('has-captions');
      },
      onAudio: (stream) => {
        this.#audio.srcObject = stream;
        // Refused only where nobody has clicked; the call button was.
        this.#audio.play().catch(() => {});
      },
      onEnded: (reason) => {
        this.#release();
        this.#show('ended');
        this.#detail.textContent = wordsOfEnd(reason);
        this.#options.onOver?.();
      },
      onFailed: (failure) => {
        this.#release();
        this.#showFailure(failure);
        this.#options.onOver?.();
      },
    };
  }

  async #takeMicrophone() {
    try {
      this.#microphone ??= await openMicrophone();
      return this.#microphone;
    } catch (error) {
      this.#showFailure(error instanceof CallFailure ? error : new CallFailure('refused'));
      return null;
    }
  }

  async #toggleCheck() {
    if (this.#state === 'checking') {
      this.#release();
      return this.#show('idle');
    }
    this.#heardReadings = 0;
    if ((await this.#takeMicrophone()) === null) return;
    this.#startMeter();
    this.#show('checking');
  }

  #toggleMute() {
    this.#isMuted = !this.#isMuted;
    this.#call?.setMuted(this.#isMuted);
    this.#showMute();
  }

  #toggleKeypad() {
    const isOpen = this.root.classList.toggle('has-keypad');
    this.#keypadButton.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) this.#keypad.querySelector('button')?.focus();
  }

  /** @param {string} digit */
  #press(digit) {
    this.#call?.sendDigit(digit);
    this.#pressed.textContent = ((this.#pressed.textContent ?? '') + digit).slice(-12);
  }

  /** @param {ViewState} state */
  #show(state) {
    this.#state = state;
    this.root.dataset.state = state;
    const isInCall = IN_CALL.has(state);
    this.root.classList.toggle('in-call', isInCall);
    if (!isInCall) this.root.classList.remove('has-keypad');
    this.#stateWord.textContent = STATE_WORDS[state];
    this.#detail.textContent = '';
    if (state !== 'failed') this.#alert.replaceChildren();
    this.#check.textContent = state === 'checking' ? 'Stop the check' : 'Check your microphone';
    this.#checkWord.textContent = '';
    this.#nameCallButton(isInCall);
  }

  /** @param {boolean} isInCall */
  #nameCallButton(isInCall) {
    const again = this.#state === 'ended' ? 'Call again' : 'Start the call';
    this.#callButton.setAttribute('aria-label', isInCall ? 'Hang up' : again);
    this.#callButton.replaceChildren(icon(isInCall ? 'hangUp' : 'call'));
  }

  #showMute() {
    this.root.classList.toggle('is-muted', this.#isMuted);
    this.#mute.setAttribute('aria-pressed', String(this.#isMuted));
    const word = this.#isMuted ? 'Unmute' : 'Mute';
    this.#mute.replaceChildren(
      icon(this.#isMuted ? 'muted' : 'microphone'),
      element('span', {}, word),
    );
  }

  /** @param {CallFailure} failure */
  #showFailure({ kind, retryAfterSeconds }) {
    const { title, advice, canRetry } = FAILURES[kind];
    this.#show('failed');
    this.#alert.replaceChildren(element('h2', {}, title), element('p', {}, advice));
    if (retryAfterSeconds !== null) {
      const wait = `You can try again in ${waitWords(retryAfterSeconds)}.`;
      this.#alert.append(element('p', { class: 'wait' }, wait));
    }
    this.#callButton.disabled = !canRetry;
  }

  #startClock() {
    this.#startedAtMs = Date.now();
    const { limitSeconds } = this.#options;
    const show = () => {
      const seconds = (Date.now() - this.#startedAtMs) / 1000;
      const left = limitSeconds === undefined ? Number.POSITIVE_INFINITY : limitSeconds - seconds;
      this.#clock.textContent =
        limitSeconds === undefined ? clock(seconds) : `${clock(seconds)} of ${clock(limitSeconds)}`;
      this.#clock.classList.toggle('is-short', left <= SHORT_SECONDS);
    };
    show();
    this.#clockTimer = setInterval(show, 1000);
  }

  #startMeter() {
    if (this.#microphone === null || this.#meter !== null) return;
    this.#meter = new LevelMeter(this.#microphone);
    this.#meterTimer = setInterval(() => this.#readLevel(), METER_MS);
  }

  #readLevel() {
    const level = this.#isMuted ? 0 : (this.#meter?.read() ?? 0);
    this.#level.value = level;
    this.#ring.style.setProperty('--level', level.toFixed(2));
    if (this.#state !== 'checking' || level < HEARD_LEVEL) return;
    this.#heardReadings += 1;
    if (this.#heardReadings === HEARD_READINGS) {
      this.#checkWord.textContent = 'Your microphone works.';
    }
  }

  #stopMeter() {
    clearInterval(this.#meterTimer);
    this.#meter?.close();
    this.#meter = null;
    this.#level.value = 0;
    this.#ring.style.setProperty('--level', '0');
  }

  #release() {
    this.#stopMeter();
    clearInterval(this.#clockTimer);
    this.#startedAtMs = 0;
    stopStream(this.#microphone);
    this.#microphone = null;
    this.#audio.srcObject = null;
    this.#call = null;
  }
}

/** @param {number} seconds */
function waitWords(seconds) {
  if (seconds < 90) return `${seconds} seconds`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}
