import { ChatApi, Refusal } from './chat-api.js';
import { ChatView } from './chat-view.js';
import { element } from './dom.js';
import { signIn, wordsFor } from './sign-in.js';

const POLL_MS = 1000;
const NOWHERE = 'This link does not lead anywhere. Check that you have all of it.';
const GONE = new Map([
  ['expired', 'This link has expired.'],
  ['disabled', 'This link is switched off.'],
]);

const api = new ChatApi(decodeURIComponent(location.pathname.split('/').pop() ?? ''));
const main = part('chat');
const title = part('title');
const anew = part('anew');

/** @type {ChatView | null} */
let view = null;
let agentName = '';

/** @param {string} id */
function part(id) {
  const found = document.getElementById(id);
  if (found === null) throw new TypeError(`the page has no ${id}`);
  return found;
}

/** @param {string} words */
function fail(words) {
  main.replaceChildren(element('p', { class: 'alert', role: 'alert' }, words));
}

function askWho() {
  anew.hidden = true;
  main.replaceChildren(signIn(api, agentName, () => void showChat()));
}

async function showChat() {
  if (view === null) return;
  try {
    const { messages, replying } = await api.history();
    view.show(messages);
    main.replaceChildren(view.root);
    anew.hidden = false;
    view.focus();
    if (replying) await waitForReply(view);
  } catch (error) {
    if (error instanceof Refusal && error.code === 'VERIFICATION_REQUIRED') askWho();
    else fail(wordsFor(error));
  }
}

/**
 * The page was loaded while a reply was being written.
 * @param {ChatView} shown
 */
async function waitForReply(shown) {
  shown.busy(true);
  await shown.status('Thinking…');
  for (let isReplying = true; isReplying; ) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const { messages, replying } = await api.history();
    isReplying = replying;
    if (!replying) shown.show(messages);
  }
  await shown.status('');
  shown.busy(false);
}

/** @param {string} text */
async function send(text) {
  const shown = view;
  if (shown === null) return;
  shown.alert('');
  shown.busy(true);
  const mine = shown.add('user', text);
  /** @type {ReturnType<ChatView['add']> | null} */
  let reply = null;
  let said = '';
  let isDone = false;
  try {
    for await (const { name, data } of api.send(text)) {
      if (name === 'status') await shown.status(data.label);
      if (name === 'delta') {
        if (reply === null) await shown.status('');
        said += data.text;
        reply ??= shown.add('assistant', said);
        reply.set(said);
      }
      if (name === 'done') {
        reply?.set(data.message.content);
        isDone = true;
      }
    }
    if (!isDone) throw new Refusal('OFFLINE', 'The connection was lost.', null);
  } catch (error) {
    await refused(error, shown, text, () => {
      mine.remove();
      reply?.remove();
    });
  } finally {
    await shown.status('');
    shown.busy(false);
  }
}

/**
 * @param {unknown} error
 * @param {ChatView} shown
 * @param {string} text
 * @param {() => void} takeBack
 */
async function refused(error, shown, text, takeBack) {
  const code = error instanceof Refusal ? error.code : '';
  takeBack();
  shown.giveBack(text);
  if (code === 'VERIFICATION_REQUIRED') askWho();
  else if (code === 'NOT_FOUND') fail('This link is no longer active.');
  else shown.alert(wordsFor(error));
}

async function startAnew() {
  if (anew.getAttribute('aria-disabled') === 'true') return;
  anew.setAttribute('aria-disabled', 'true');
  try {
    await api.startAnew();
    view?.alert('');
    await showChat();
  } catch (error) {
    view?.alert(wordsFor(error));
  } finally {
    anew.removeAttribute('aria-disabled');
  }
}
anew.addEventListener('click', () => void startAnew());

try {
  const link = await api.link();
  if (link.valid) {
    agentName = link.agent_name;
    title.textContent = agentName;
    document.title = `Chat with ${agentName}`;
    view = new ChatView({
      agentName,
      lengthMax: link.message_length_max,
      onSend: (text) => void send(text),
    });
    await showChat();
  } else {
    fail(GONE.get(link.reason) ?? NOWHERE);
  }
} catch (error) {
  fail(wordsFor(error));
}
