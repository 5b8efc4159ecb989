import { CallView } from './call-view.js';
import { element } from './dom.js';
import { sharePanel } from './share.js';
import { limitWords, LINK_STATES } from './words.js';

/**
 * The landing page of an instant voice link: whoever made it chose the words, the gateway says
 * whether it still works.
 *
 * @typedef {{ readonly status: string, readonly landingPageTitle: string,
 *   readonly landingPageInfo: string, readonly timeLimitMinutes: number }} Welcome
 */

const token = decodeURIComponent(location.pathname.split('/').pop() ?? '');
const path = encodeURIComponent(token);

/** @param {string} id */
function part(id) {
  const found = document.getElementById(id);
  if (found === null) throw new TypeError(`the page has no ${id}`);
  return found;
}

/** @returns {Promise<Welcome | 'unknown' | 'unreachable'>} */
async function ask() {
  try {
    const response = await fetch(`/v1/instant-voice-links/public/${path}`);
    if (response.status === 404) return 'unknown';
    return response.ok ? await response.json() : 'unreachable';
  } catch {
    return 'unreachable';
  }
}

/** @param {keyof typeof LINK_STATES} state */
function showState(state) {
  const { title, advice, canRetry } = LINK_STATES[state];
  const alert = element('div', { class: 'alert', role: 'alert' });
  alert.append(element('h2', {}, title), element('p', {}, advice));
  if (canRetry) {
    const again = element('button', { type: 'button', class: 'quiet' }, 'Try again');
    again.addEventListener('click', () => void open());
    alert.append(again);
  }
  part('limit').textContent = '';
  part('call').replaceChildren(alert);
  part('call').dataset.link = state;
}

/** @param {Welcome} welcome */
function showWords({ landingPageTitle, landingPageInfo }) {
  if (landingPageTitle !== '') {
    part('title').textContent = landingPageTitle;
    document.title = landingPageTitle;
  }
  // Its line breaks are kept by the stylesheet; nothing in it is ever markup.
  part('info').textContent = landingPageInfo;
  part('info').classList.toggle('is-long', /\n|.{160}/.test(landingPageInfo));
}

/** After a call the link may be used up, or over. */
async function lookAgain() {
  const welcome = await ask();
  if (typeof welcome === 'string' || welcome.status === 'active') return;
  if (isState(welcome.status)) showState(welcome.status);
}

/**
 * @param {string} status
 * @returns {status is keyof typeof LINK_STATES}
 */
function isState(status) {
  return Object.hasOwn(LINK_STATES, status);
}

async function open() {
  const welcome = await ask();
  if (typeof welcome === 'string') return showState(welcome);
  showWords(welcome);
  if (isState(welcome.status)) return showState(welcome.status);
  part('limit').textContent = limitWords(welcome.timeLimitMinutes);
  const view = new CallView({
    offerUrl: `/v1/public/voice-links/${path}/offer`,
    limitSeconds: welcome.timeLimitMinutes * 60,
    onOver: () => void lookAgain(),
  });
  const address = location.origin + location.pathname;
  const share = sharePanel({ address, qrCode: `/v/${path}/qr.svg` });
  part('call').replaceChildren(view.root, share);
  part('call').dataset.link = 'active';
}

void open();
