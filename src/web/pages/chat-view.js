import { element } from './dom.js';

/** @typedef {import('./chat-api.js').ChatMessage} ChatMessage */
/** A label stays so long before words replace it. */
const LABEL_SHOWN_MS = 500;

/** The conversation and its composer. No network. */
export class ChatView {
  #list = element('ol', { class: 'messages' });
  #log = element(
    'div',
    { class: 'log', role: 'log', 'aria-label': 'Conversation', tabindex: '0' },
    this.#list,
  );
  #status = element('p', { class: 'chat-status', role: 'status' });
  #alert = element('p', { class: 'chat-alert', role: 'alert' });
  #input = element('textarea', {
    id: 'message',
    rows: '1',
    placeholder: 'Write a message',
    enterkeyhint: 'send',
    autocomplete: 'off',
  });
  #send = element('button', { type: 'submit', class: 'send' }, 'Send');
  #form = element(
    'form',
    { class: 'composer' },
    element('label', { for: 'message', class: 'visually-hidden' }, 'Message'),
    this.#input,
    this.#send,
  );
  root = element('section', { class: 'chat' }, this.#log, this.#status, this.#alert, this.#form);
  #labelSinceMs = 0;
  #isBusy = false;

  /**
   * @param {{ agentName: string, lengthMax: number, onSend: (text: string) => void }} options
   */
  constructor({ agentName, lengthMax, onSend }) {
    this.agentName = agentName;
    this.#input.maxLength = lengthMax;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      if (text === '' || this.#isBusy) return;
      this.#input.value = '';
      this.#fit();
      onSend(text);
    });
    this.#input.addEventListener('input', () => this.#fit());
    this.#input.addEventListener('keydown', (event) => {
      // Enter sends; with Shift, or while a word is being composed, it is a line break.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
  }

  focus() {
    this.#input.focus();
  }

  /** @param {readonly ChatMessage[]} messages */
  show(messages) {
    this.#list.replaceChildren();
    for (const { role, content } of messages) this.add(role, content);
  }

  /**
   * @param {'user' | 'assistant'} role
   * @param {string} text
   * @returns {{ set: (text: string) => void, remove: () => void }}
   */
  add(role, text) {
    const isFollowing = this.#isAtEnd();
    const words = element('p', { class: 'words' }, text);
    const who = role === 'user' ? 'You' : this.agentName;
    const name = element('span', { class: 'visually-hidden' }, `${who}: `);
    const item = element('li', { class: `message from-${role}` }, name, words);
    this.#list.append(item);
    this.#follow(isFollowing || role === 'user');
    return {
      set: (next) => {
        const isNear = this.#isAtEnd();
        words.textContent = next;
        this.#follow(isNear);
      },
      remove: () => item.remove(),
    };
  }

  /** @param {string} label empty: none */
  async status(label) {
    const leftMs = this.#labelSinceMs + LABEL_SHOWN_MS - performance.now();
    if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
    this.#status.textContent = label;
    this.#labelSinceMs = label === '' ? 0 : performance.now();
    this.#follow(this.#isAtEnd());
  }

  /** @param {string} words empty: none */
  alert(words) {
    this.#alert.textContent = words;
  }

  /**
   * Until it is over nothing can be sent; words can be written.
   * @param {boolean} isBusy
   */
  busy(isBusy) {
    this.#isBusy = isBusy;
    this.#send.disabled = isBusy;
    this.#log.setAttribute('aria-busy', String(isBusy));
  }

  /**
   * Gives words back that were not taken.
   * @param {string} text
   */
  giveBack(text) {
    this.#input.value = [text, this.#input.value].filter((part) => part !== '').join('\n');
    this.#fit();
    this.#input.focus();
  }

  #fit() {
    const lines = Math.min(
      6,
      this.#input.value.split('\n').length + Math.floor(this.#input.value.length / 60),
    );
    this.#input.rows = Math.max(1, lines);
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  /** @param {boolean} isWanted */
  #follow(isWanted) {
    if (isWanted) this.#log.scrollTop = this.#log.scrollHeight;
  }
}
