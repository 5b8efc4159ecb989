import { Refusal } from './chat-api.js';
import { element } from './dom.js';

/**
 * Asks for an address, then for the code that was mailed to it.
 *
 * @param {import('./chat-api.js').ChatApi} api
 * @param {string} agentName
 * @param {() => void} onVerified
 */
export function signIn(api, agentName, onVerified) {
  const alert = element('p', { class: 'chat-alert', role: 'alert' });
  const root = element('section', { class: 'sign-in' });
  let email = '';

  /**
   * @param {HTMLFormElement} form
   * @param {() => Promise<void>} work
   */
  function whenSent(form, work) {
    const send = async () => {
      const button = form.querySelector('button');
      if (button?.disabled) return;
      if (button) button.disabled = true;
      alert.textContent = '';
      try {
        await work();
      } catch (error) {
        alert.textContent = wordsFor(error);
        form.querySelector('input')?.focus();
      } finally {
        if (button) button.disabled = false;
      }
    };
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void send();
    });
  }

  function askEmail() {
    const { form, input } = emailForm(agentName);
    input.value = email;
    whenSent(form, async () => {
      email = input.value.trim();
      await api.requestCode(email);
      askCode();
    });
    root.replaceChildren(form, alert);
    input.focus();
  }

  function askCode() {
    const { form, input } = codeForm(email);
    const back = element(
      'button',
      { type: 'button', class: 'quiet' },
      'Another address or a new code',
    );
    back.addEventListener('click', askEmail);
    whenSent(form, async () => {
      await api.confirmCode(email, input.value);
      onVerified();
    });
    root.replaceChildren(form, alert, back);
    input.focus();
  }

  askEmail();
  return root;
}

/** @param {string} agentName */
function emailForm(agentName) {
  const input = element('input', {
    id: 'email',
    type: 'email',
    autocomplete: 'email',
    required: '',
    maxlength: '254',
  });
  const form = element(
    'form',
    { class: 'ask' },
    element('h2', {}, 'First, your e-mail address'),
    element('p', {}, `We send you a code. ${agentName} will know you when you come back.`),
    element('label', { for: 'email' }, 'E-mail address'),
    input,
    element('button', { type: 'submit', class: 'send' }, 'Send me a code'),
  );
  return { form, input };
}

/** @param {string} email */
function codeForm(email) {
  const input = element('input', {
    id: 'code',
    inputmode: 'numeric',
    autocomplete: 'one-time-code',
    required: '',
    maxlength: '12',
  });
  const form = element(
    'form',
    { class: 'ask' },
    element('h2', {}, 'Now the code'),
    element('p', { role: 'status' }, `We sent six digits to ${email}. They hold for ten minutes.`),
    element('label', { for: 'code' }, 'Code'),
    input,
    element('button', { type: 'submit', class: 'send' }, 'Start chatting'),
  );
  return { form, input };
}

/**
 * @param {unknown} error
 * @returns {string}
 */
export function wordsFor(error) {
  if (!(error instanceof Refusal)) return 'Something went wrong. Please try again.';
  if (error.code !== 'RATE_LIMITED' || error.retryAfterSeconds === null) return error.message;
  return `That was a lot at once. You can go on in ${waitOf(error.retryAfterSeconds)}.`;
}

/** @param {number} seconds */
function waitOf(seconds) {
  if (seconds < 90) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} minutes`;
  return `${Math.ceil(seconds / 3600)} hours`;
}
