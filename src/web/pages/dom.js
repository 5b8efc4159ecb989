/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Outlines on a grid of 24, drawn for this page. */
const ICONS = {
  call: 'M6.5 3.5h3l1.6 4-2.1 1.6a12 12 0 0 0 5.9 5.9l1.6-2.1 4 1.6v3a2 2 0 0 1-2.2 2A16.5 16.5 0 0 1 4.5 5.7a2 2 0 0 1 2-2.2Z',
  hangUp:
    'M3 14.6c5.2-4.8 12.8-4.8 18 0 .6.5.6 1.4.1 2l-1.5 1.7a1.4 1.4 0 0 1-1.8.2l-2.3-1.5a1.4 1.4 0 0 1-.6-1.3l.1-1.7a12 12 0 0 0-6 0l.1 1.7c0 .5-.2 1-.6 1.3l-2.3 1.5a1.4 1.4 0 0 1-1.8-.2L2.9 16.6a1.4 1.4 0 0 1 .1-2Z',
  microphone:
    'M12 3a2.8 2.8 0 0 1 2.8 2.8v5.4a2.8 2.8 0 0 1-5.6 0V5.8A2.8 2.8 0 0 1 12 3Z M5.8 11.2a6.2 6.2 0 0 0 12.4 0 M12 17.4V21 M8.8 21h6.4',
  muted:
    'M9.2 9.2v2a2.8 2.8 0 0 0 4.5 2.2 M14.8 10.6V5.8a2.8 2.8 0 0 0-5.4-1 M5.8 11.2a6.2 6.2 0 0 0 9.9 4.9 M18.2 11.2c0 .9-.2 1.7-.5 2.5 M12 17.4V21 M8.8 21h6.4 M4 3.5l16 17',
  share:
    'M12 14V3.5 M8 7.2l4-3.7 4 3.7 M6.5 11H5.8A1.8 1.8 0 0 0 4 12.8v5.9a1.8 1.8 0 0 0 1.8 1.8h12.4a1.8 1.8 0 0 0 1.8-1.8v-5.9a1.8 1.8 0 0 0-1.8-1.8h-.7',
  keypad:
    'M5 5h.01 M12 5h.01 M19 5h.01 M5 12h.01 M12 12h.01 M19 12h.01 M5 19h.01 M12 19h.01 M19 19h.01',
};

/** @typedef {keyof typeof ICONS} IconName */

/**
 * @param {IconName} name
 * @returns {SVGSVGElement} hidden from screen readers: its button has a name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}
