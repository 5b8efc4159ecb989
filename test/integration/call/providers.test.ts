import assert from 'node:assert/strict';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { OpenAiChatServer, textReply, toolReply } from '../../support/openai-chat-server.ts';
import { OpenAiSpeechServer } from '../../support/openai-speech-server.ts';
import { hasTestCaller } from '../../support/test-caller.ts';

const GREETING = 'Good day.';
const QUESTION = 'When do you open?';
const ANSWER = 'We open at nine.';
const APOLOGY = "I'm sorry, I had a problem just now. Could you say that again?";
const GOODBYE = "I'm sorry, something is wrong on my side. Please call again later. Goodbye.";

describe('a call over outside providers', function () {
  this.timeout(60_000);
  let chat: OpenAiChatServer;
  let speech: OpenAiSpeechServer;
  let gateway: Gateway;
  let phone: CallPhone;

  before(async function () {
    if (!hasTestCaller) this.skip();
    [chat, speech] = await Promise.all([OpenAiChatServer.start(), OpenAiSpeechServer.start()]);
    gateway = await Gateway.start({
      env: {
        TRUNKLINE_LLM_BASE_URL: chat.baseUrl,
        TRUNKLINE_LLM_API_KEY: chat.apiKey,
        TRUNKLINE_LLM_MODEL: chat.model,
        TRUNKLINE_LLM_TIMEOUT_MS: '1000',
        TRUNKLINE_STT_BASE_URL: speech.baseUrl,
        TRUNKLINE_STT_API_KEY: speech.apiKey,
        TRUNKLINE_TTS_BASE_URL: speech.baseUrl,
        TRUNKLINE_TTS_API_KEY: speech.apiKey,
      },
    });
    await gateway.changeAgent({ greeting_text: GREETING });
  });
  after(async () => {
    await gateway?.stop();
    await chat?.stop();
    await speech?.stop();
  });
  beforeEach(async () => {
    chat.always(textReply(ANSWER));
    speech.text = QUESTION;
    phone = await CallPhone.open(gateway.sipPort);
  });
  afterEach(() => phone?.close());

  /** Calls, and waits until the greeting was heard. */
  async function greeted(): Promise<string> {
    await phone.call();
    const { call_id: id } = await gateway.nextCall();
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length === 1);
    return id;
  }

  /** Asks the question and waits for so many turns in all. */
  async function ask(id: string, turnCount: number) {
    await phone.say('when do you open', 'slt');
    const call = await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= turnCount);
    return call.transcript ?? [];
  }

  it('goes through all three: hearing, thinking, speaking', async () => {
    const id = await greeted();
    const turns = await ask(id, 3);
    assert.deepEqual(
      turns.map(({ role, text }) => [role, text]),
      [
        ['agent', GREETING],
        ['user', QUESTION],
        ['agent', ANSWER],
      ],
    );
    assert.ok(speech.transcriptions.some(({ samples }) => samples.length > 4000));
    assert.ok(speech.speeches.some(({ input }) => input === ANSWER));
    const { messages = [] } = chat.requests.at(-1)?.body ?? {};
    assert.deepEqual(messages.at(-1), { role: 'user', content: QUESTION });
    assert.ok(messages.some(({ role, content }) => role === 'assistant' && content === GREETING));
    await phone.hangUp();
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
  });

  it('ends when the model calls end_call', async () => {
    chat.always(toolReply('end_call', { reason: 'all done' }));
    const id = await greeted();
    await phone.say('when do you open', 'slt');
    await phone.sip.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'agent-hung-up');
    assert.equal(call.blame, 'none');
  });

  it('apologizes when the model stalls, and answers the next time', async () => {
    chat.always({ type: 'silence' });
    const id = await greeted();
    const sorry = await ask(id, 3);
    assert.equal(sorry.at(-1)?.text, APOLOGY);
    chat.always(textReply(ANSWER));
    const turns = await ask(id, 5);
    assert.equal(turns.at(-1)?.text, ANSWER);
    await phone.hangUp();
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
  });

  it('says goodbye when the model fails again and again', async () => {
    chat.always({ type: 'error', status: 500, body: { error: { message: 'broken' } } });
    const id = await greeted();
    assert.equal((await ask(id, 3)).at(-1)?.text, APOLOGY);
    assert.equal((await ask(id, 5)).at(-1)?.text, APOLOGY);
    await phone.say('when do you open', 'slt');
    await phone.sip.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'provider-failed');
    assert.equal(call.blame, 'provider');
    assert.equal(call.transcript?.at(-1)?.text, GOODBYE);
    assert.equal(gateway.endLines(id).length, 1);
  });

  it('leaves no key and no word of it in the log', () => {
    const log = gateway.lines.filter((line) => line.startsWith('{')).join('\n');
    assert.ok(log.includes('a turn failed') || log.includes('call ended'));
    for (const secret of [chat.apiKey, speech.apiKey, QUESTION, ANSWER, 'all done']) {
      assert.equal(log.includes(secret), false, secret);
    }
  });
});
