import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { isTooWide, seriousFaults } from './axe.ts';
import { createSmtpMailer } from '../../src/chat/mail.ts';
import { pageRoutes } from '../../src/http/routes/pages.ts';
import { webPages } from '../../src/web/web-pages.ts';
import {
  type BrowserOptions,
  findChromium,
  startBrowser,
  type TestBrowser,
} from '../support/browser.ts';
import { type ChatServer, chatServer } from '../support/chat-server.ts';
import { OpenAiChatServer, type ScriptedReply, textReply } from '../support/openai-chat-server.ts';
import { codeIn, SmtpServer } from '../support/smtp-server.ts';

describe('the chat page', function () {
  this.timeout(30_000);
  let smtp: SmtpServer;
  let llm: OpenAiChatServer;
  let server: ChatServer;
  let url: string;
  let browser: TestBrowser | null = null;
  let page: Page;
  const faults: string[] = [];

  before(async function () {
    if (findChromium() === null) this.skip();
    smtp = await SmtpServer.start();
    llm = await OpenAiChatServer.start();
  });
  after(async () => {
    await smtp?.stop();
    await llm?.stop();
  });
  afterEach(async () => {
    await browser?.close();
    browser = null;
    await server.close();
    assert.deepEqual(faults.splice(0), [], 'the page threw, or broke its own content policy');
  });

  async function serve(options: { readonly withModel?: boolean } = {}): Promise<void> {
    const mailer = createSmtpMailer({
      host: '127.0.0.1',
      port: smtp.port,
      tls: 'none',
      user: null,
      password: null,
      from: 'desk@example.org',
      timeoutMs: 2000,
    });
    const model = {
      provider: 'openai',
      baseUrl: llm.baseUrl,
      apiKey: llm.apiKey,
      model: llm.model,
      temperature: null,
      maxTokens: 100,
      timeoutMs: 10_000,
    } as const;
    server = await chatServer({
      mailer,
      publicUrl: 'http://localhost',
      ...(options.withModel === true ? { llm: model } : {}),
    });
    await server.app.register(pageRoutes, {
      pages: webPages(),
      publicUrl: () => 'http://localhost',
      limit: async () => {},
    });
    await server.app.listen({ host: '127.0.0.1', port: 0 });
    url = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
  }

  async function open(token: string, options: BrowserOptions = {}): Promise<void> {
    browser = await startBrowser(options);
    page = await browser.context.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) faults.push(message.text());
    });
    await page.goto(`${url}/public/chat/${token}`);
  }

  const message = () => page.getByRole('textbox', { name: 'Message' });
  const words = () => page.locator('.message .words').allTextContents();
  const reply = (text: string) => page.locator('.from-assistant .words', { hasText: text });

  it('SEED-144: people chat at once; the keyboard alone will do', async () => {
    await serve();
    await open((await server.link()).token);
    await page.getByRole('heading', { name: 'Front Desk' }).waitFor();
    await reply('Hello.').waitFor();
    await page.keyboard.type('What are your opening hours?');
    await page.keyboard.press('Enter');
    await reply('Nine to five.').waitFor();
    await page.locator('.chat-status:empty').waitFor({ state: 'attached' });
    await page.keyboard.type('<b>one</b>');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two');
    await page.keyboard.press('Enter');
    await reply('Sorry').or(page.locator('.from-assistant').nth(2)).first().waitFor();
    assert.equal((await words())[3], '<b>one</b>\ntwo');
  });

  it('SEED-134: a refresh keeps the conversation; SEED-147: New Conversation begins another', async () => {
    await serve();
    await open((await server.link()).token);
    await message().fill('My name is Anna');
    await page.getByRole('button', { name: 'Send' }).click();
    await reply('Hello, anna.').waitFor();
    await page.reload();
    await reply('Hello, anna.').waitFor();
    assert.deepEqual(await words(), ['Hello.', 'My name is Anna', 'Hello, anna.']);
    await page.getByRole('button', { name: 'New Conversation' }).click();
    await reply('Hello, anna.').waitFor({ state: 'detached' });
    assert.deepEqual(await words(), ['Hello.']);
    await message().fill('who am i');
    await message().press('Enter');
    await reply('You are a stranger.').waitFor();
  });

  it('SEED-145: an address, the code from the mail, and the chat is open; it is there on the next device', async () => {
    await serve();
    const { token } = await server.link({ requiresEmail: true });
    const signIn = async () => {
      await page.getByRole('textbox', { name: 'E-mail address' }).fill('ann@example.org');
      await page.keyboard.press('Enter');
      const mail = await smtp.nextMail();
      assert.deepEqual(mail.to, ['ann@example.org']);
      await page.getByRole('textbox', { name: 'Code' }).fill('12345');
      await page.keyboard.press('Enter');
      await page.getByRole('alert').getByText('wrong or no longer valid').waitFor();
      await page.getByRole('textbox', { name: 'Code' }).fill(codeIn(mail));
      await page.keyboard.press('Enter');
      await message().waitFor();
    };
    await open(token);
    await signIn();
    await message().fill('My name is Anna');
    await message().press('Enter');
    await reply('Hello, anna.').waitFor();
    await page.reload();
    await reply('Hello, anna.').waitFor();
    await browser?.close();
    await open(token);
    await signIn();
    await reply('Hello, anna.').waitFor();
  });

  it('SEED-154: says how long to wait, and gives the words back', async () => {
    await serve();
    await open((await server.link({ messagesPerMinute: 1 })).token);
    await message().fill('one');
    await message().press('Enter');
    await page.locator('.from-assistant').nth(1).waitFor();
    await page.locator('.chat-status:empty').waitFor({ state: 'attached' });
    await message().fill('two');
    await message().press('Enter');
    await page.getByRole('alert').getByText('You can go on in 60 seconds.').waitFor();
    assert.equal(await message().inputValue(), 'two');
    assert.equal((await words()).length, 3);
  });

  it('SEED-139: shows that the agent thinks, and the words as they come', async () => {
    await serve({ withModel: true });
    llm.next(slowReply());
    await open((await server.link()).token);
    await message().fill('When?');
    await message().press('Enter');
    await page.getByRole('status').getByText('Thinking…').waitFor();
    await reply('Nine').waitFor();
    await reply('Nine to five.').waitFor();
  });

  it('a refresh in the middle of a reply loses nothing', async () => {
    await serve({ withModel: true });
    llm.next(slowReply());
    await open((await server.link()).token);
    await message().fill('When?');
    await message().press('Enter');
    await page.getByRole('status').getByText('Thinking…').waitFor();
    await page.reload();
    await reply('Nine to five.').waitFor();
    assert.deepEqual(await words(), ['Hello.', 'When?', 'Nine to five.']);
  });

  it('gives the words back when the agent cannot answer', async () => {
    await serve({ withModel: true });
    llm.next({ type: 'error', status: 400, body: {} }, textReply('Yes.'));
    await open((await server.link()).token);
    await message().fill('Are you there?');
    await message().press('Enter');
    await page.getByRole('alert').getByText('could not answer').waitFor();
    await page.locator('.chat-status:empty').waitFor({ state: 'attached' });
    await message().press('Enter');
    await reply('Yes.').waitFor();
  });

  it('SEED-151: says that a link is gone, and why', async () => {
    await serve();
    await open((await server.link({ isEnabled: false })).token);
    await page.getByRole('alert').getByText('switched off').waitFor();
    await page.goto(`${url}/public/chat/nothing`);
    await page.getByRole('alert').getByText('does not lead anywhere').waitFor();
    assert.deepEqual(await seriousFaults(page), []);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has no serious fault for assistive technology, ${colorScheme}`, async () => {
      await serve();
      const phone = { colorScheme, viewport: { width: 390, height: 844 } };
      await open((await server.link()).token, phone);
      await message().fill('What are your opening hours?');
      await message().press('Enter');
      await reply('Nine to five.').waitFor();
      assert.deepEqual(await seriousFaults(page), []);
      assert.equal(await isTooWide(page), false, 'it scrolls sideways');
      await page.goto(`${url}/public/chat/${(await server.link({ requiresEmail: true })).token}`);
      await page.getByRole('textbox', { name: 'E-mail address' }).waitFor();
      assert.deepEqual(await seriousFaults(page), []);
    });
  }
});

/** Thinks for a while, then speaks in two pieces. */
function slowReply(): ScriptedReply {
  return {
    type: 'stream',
    steps: [
      { type: 'wait', ms: 1200 },
      { type: 'text', text: 'Nine' },
      { type: 'wait', ms: 300 },
      { type: 'text', text: ' to five.' },
      { type: 'finish', reason: 'stop' },
      { type: 'done' },
    ],
  };
}
