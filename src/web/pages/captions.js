import { element } from './dom.js';

const CAPTIONS_MAX = 200;
const SPEAKERS = { user: 'You', agent: 'Agent' };

/** What both sides said, newest last. Screen readers hear each finished caption once. */
export class Captions {
  /** @type {Map<string, HTMLElement>} */
  #texts = new Map();
  #list = element('ol', { class: 'captions', 'aria-label': 'Captions', tabindex: '0' });
  #announcer = element('div', { class: 'visually-hidden', role: 'log', 'aria-live': 'polite' });
  root = element(
    'section',
    { class: 'transcript', 'aria-label': 'Conversation' },
    this.#list,
    this.#announcer,
  );

  constructor() {
    // The list gets less room when the call ends: what was said last stays in sight.
    new ResizeObserver(() => this.#scroll()).observe(this.#list);
  }

  /** @param {import('./call-client.js').Caption} caption */
  show({ turnId, role, text, isFinal }) {
    const shown = this.#texts.get(turnId) ?? this.#add(turnId, role);
    shown.textContent = text;
    shown.classList.toggle('interim', !isFinal);
    if (isFinal) this.#announcer.append(element('p', {}, `${SPEAKERS[role]}: ${text}`));
    this.#scroll();
  }

  #scroll() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  clear() {
    this.#texts.clear();
    this.#list.replaceChildren();
    this.#announcer.replaceChildren();
  }

  get isEmpty() {
    return this.#texts.size === 0;
  }

  /**
   * @param {string} turnId
   * @param {'user' | 'agent'} role
   * @returns {HTMLElement}
   */
  #add(turnId, role) {
    const text = element('p', { class: 'caption-text' });
    const item = element('li', { class: `caption caption-${role}` });
    item.append(element('span', { class: 'caption-who' }, SPEAKERS[role]), text);
    this.#list.append(item);
    this.#texts.set(turnId, text);
    if (this.#texts.size > CAPTIONS_MAX) {
      const [oldest] = this.#texts.keys();
      if (oldest !== undefined) this.#texts.delete(oldest);
      this.#list.firstElementChild?.remove();
    }
    return text;
  }
}
