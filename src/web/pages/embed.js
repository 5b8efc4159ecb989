/**
 * <script src="https://…/embed.js" data-agent="agt_…" data-label="Talk to us" async></script>
 *
 * Puts a round button into the corner of somebody's page. The call itself is the try page in a
 * frame, so its origin, its content policy and the microphone's permission stay apart from the
 * page around it. Everything visible lives in a shadow root; the page's styles do not reach it.
 */
(() => {
  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement)) return;
  const { agent, label = 'Talk to us' } = script.dataset;
  if (!agent) {
    console.error('embed.js needs data-agent="agt_…"');
    return;
  }
  const address = new URL(`try/${encodeURIComponent(agent)}`, script.src).href;

  const STYLE = `
    :host { all: initial; position: fixed; right: 1.25rem; bottom: 1.25rem; z-index: 2147483000;
      font: 1rem/1.4 system-ui, sans-serif; color-scheme: light dark; }
    * { box-sizing: border-box; }
    .open { display: inline-flex; align-items: center; gap: .625rem; min-height: 3.25rem;
      padding: 0 1.375rem 0 1.125rem; border: 0; border-radius: 2rem; background: #0b6b57;
      color: #fff; font: 600 1rem/1 system-ui, sans-serif; cursor: pointer;
      box-shadow: 0 6px 24px rgb(0 0 0 / .22); }
    .open:hover { background: #095a49; }
    svg { width: 1.375rem; height: 1.375rem; fill: none; stroke: currentColor; stroke-width: 1.8;
      stroke-linecap: round; stroke-linejoin: round; }
    .panel { position: fixed; right: 1.25rem; bottom: 1.25rem; display: flex;
      flex-direction: column; width: min(25rem, calc(100vw - 2.5rem));
      height: min(40rem, calc(100vh - 2.5rem)); border-radius: 1.25rem; overflow: hidden;
      background: #f6f4ef; color: #1c2321; border: 1px solid #d9d5ca;
      box-shadow: 0 16px 56px rgb(0 0 0 / .3); }
    [hidden] { display: none !important; }
    .bar { display: flex; align-items: center; justify-content: space-between;
      padding: .625rem .625rem .625rem 1.25rem; }
    h2 { margin: 0; font: 600 1rem/1.4 system-ui, sans-serif; }
    .close { width: 2.75rem; height: 2.75rem; border: 0; border-radius: 50%; background: none;
      color: inherit; cursor: pointer; display: grid; place-items: center; }
    .close:hover { background: rgb(127 127 127 / .18); }
    iframe { flex: 1; width: 100%; border: 0; }
    :focus-visible { outline: 3px solid #4cc2a4; outline-offset: 2px; }
    @media (prefers-color-scheme: dark) {
      .panel { background: #14171a; color: #eceae4; border-color: #343b3f; } }
    @media (max-width: 30rem) {
      .panel { inset: 0; width: 100vw; height: 100dvh; border-radius: 0; border: 0; } }
  `;

  /**
   * @param {string} path
   * @returns {SVGSVGElement}
   */
  function icon(path) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('aria-hidden', 'true');
    const drawn = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    drawn.setAttribute('d', path);
    svg.append(drawn);
    return svg;
  }

  /**
   * @template {keyof HTMLElementTagNameMap} Name
   * @param {Name} name
   * @param {Record<string, string>} attributes
   * @param {(Node | string)[]} children
   * @returns {HTMLElementTagNameMap[Name]}
   */
  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const host = document.createElement('trunkline-call');
  const shadow = host.attachShadow({ mode: 'open' });
  // A constructed sheet, since the page's content policy may forbid inline styles.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  shadow.adoptedStyleSheets = [sheet];

  const open = element('button', { type: 'button', class: 'open', 'aria-haspopup': 'dialog' });
  open.append(icon('M5 10v4M8.5 7.5v9M12 5v14M15.5 7.5v9M19 10v4'), label);
  const close = element('button', {
    type: 'button',
    class: 'close',
    'aria-label': 'Close and hang up',
  });
  close.append(icon('M6 6l12 12M18 6L6 18'));
  const bar = element('div', { class: 'bar' }, element('h2', { id: 'title' }, label), close);
  const panel = element('section', {
    class: 'panel',
    role: 'dialog',
    'aria-labelledby': 'title',
    hidden: '',
  });
  panel.append(bar);
  shadow.append(open, panel);

  /** @type {HTMLIFrameElement | null} */
  let frame = null;

  open.addEventListener('click', () => {
    frame ??= element('iframe', { src: address, title: label, allow: 'microphone; autoplay' });
    if (!frame.isConnected) panel.append(frame);
    panel.hidden = false;
    open.hidden = true;
    close.focus();
  });

  // Taking the frame away ends the call in it.
  function shut() {
    frame?.remove();
    frame = null;
    panel.hidden = true;
    open.hidden = false;
    open.focus();
  }
  close.addEventListener('click', shut);
  panel.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') shut();
  });

  const attach = () => document.body.append(host);
  if (document.body === null) document.addEventListener('DOMContentLoaded', attach);
  else attach();
})();
