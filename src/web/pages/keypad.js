import { element } from './dom.js';

const KEYS = [
  ['1', ''],
  ['2', 'ABC'],
  ['3', 'DEF'],
  ['4', 'GHI'],
  ['5', 'JKL'],
  ['6', 'MNO'],
  ['7', 'PQRS'],
  ['8', 'TUV'],
  ['9', 'WXYZ'],
  ['*', ''],
  ['0', '+'],
  ['#', ''],
];
const NAMES = { '*': 'star', '#': 'pound' };

/**
 * Twelve keys; digits typed on a keyboard count as well while it is open.
 *
 * @param {(digit: string) => void} onDigit
 * @returns {HTMLElement}
 */
export function keypad(onDigit) {
  const pad = element('div', {
    class: 'keypad',
    id: 'keypad',
    role: 'group',
    'aria-label': 'Keypad',
  });
  for (const [digit = '', letters = ''] of KEYS) {
    const key = element('button', { type: 'button', class: 'key' }, digit);
    if (digit === '*' || digit === '#') key.setAttribute('aria-label', NAMES[digit]);
    if (letters !== '') key.append(' ', element('small', {}, letters));
    key.addEventListener('click', () => onDigit(digit));
    pad.append(key);
  }
  pad.addEventListener('keydown', ({ key }) => {
    if (/^[0-9*#]$/.test(key)) onDigit(key);
  });
  return pad;
}
