import { element, icon } from './dom.js';

const COPIED_MS = 2500;

/**
 * A button that opens a panel: the page's address to copy, and as a code for another device.
 *
 * @param {{ readonly address: string, readonly qrCode: string }} link
 * @returns {HTMLElement}
 */
export function sharePanel({ address, qrCode }) {
  const toggle = element(
    'button',
    { type: 'button', class: 'quiet share-toggle', 'aria-expanded': 'false' },
    icon('share'),
    element('span', {}, 'Share this link'),
  );
  toggle.setAttribute('aria-controls', 'share');
  const field = element('input', {
    class: 'share-address',
    readonly: '',
    'aria-label': 'Address of this page',
    value: address,
  });
  field.addEventListener('focus', () => field.select());
  const copy = element('button', { type: 'button', class: 'tool' }, 'Copy');
  const copied = element('p', { class: 'share-note', role: 'status' });
  copy.addEventListener('click', () => void copyFrom(field, copied));
  const panel = element(
    'div',
    { class: 'share-panel', id: 'share', hidden: '' },
    element('div', { class: 'share-row' }, field, copy),
    copied,
  );
  toggle.addEventListener('click', () => {
    panel.hidden = !panel.hidden;
    toggle.setAttribute('aria-expanded', String(!panel.hidden));
    // Fetched only by those who look.
    if (panel.querySelector('figure') === null) panel.append(codeOf(qrCode));
  });
  return element('section', { class: 'share', 'aria-label': 'Share' }, toggle, panel);
}

/** @param {string} qrCode */
function codeOf(qrCode) {
  const picture = element('img', {
    src: qrCode,
    alt: 'QR code of this page’s address',
    width: '176',
    height: '176',
  });
  const words = element('figcaption', {}, 'Scan it to call from another device.');
  return element('figure', { class: 'share-code' }, picture, words);
}

/**
 * @param {HTMLInputElement} field
 * @param {HTMLElement} note
 */
async function copyFrom(field, note) {
  try {
    await navigator.clipboard.writeText(field.value);
    note.textContent = 'Copied.';
  } catch {
    // Not allowed here: selected, it is one key press.
    field.focus();
    note.textContent = 'Press Ctrl+C (⌘C) to copy it.';
  }
  setTimeout(() => (note.textContent = ''), COPIED_MS);
}
