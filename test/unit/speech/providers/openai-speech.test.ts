import assert from 'node:assert/strict';
import { Agent } from 'undici';
import type { AudioFrame } from '../../../../src/model/audio.ts';
import type { Transcript } from '../../../../src/speech/provider.ts';
import { createOpenAiSpeechToText } from '../../../../src/speech/providers/openai-speech-to-text.ts';
import { createOpenAiTextToSpeech } from '../../../../src/speech/providers/openai-text-to-speech.ts';
import { SpeechError } from '../../../../src/speech/speech-error.ts';
import { OpenAiSpeechServer, speechSample } from '../../../support/openai-speech-server.ts';
import { itKeepsTheSpeechToTextContract } from '../../../support/speech-to-text-contract.ts';
import { itKeepsTheTextToSpeechContract } from '../../../support/text-to-speech-contract.ts';

describe('the OpenAI speech providers', () => {
  let server: OpenAiSpeechServer;
  let dispatcher: Agent;

  beforeEach(async () => {
    server = await OpenAiSpeechServer.start();
    dispatcher = new Agent({ connections: 4 });
  });
  afterEach(async () => {
    await dispatcher.destroy();
    await server.stop();
  });

  const endpoint = (timeoutMs = 2000) => ({
    provider: 'openai' as const,
    baseUrl: server.baseUrl,
    apiKey: server.apiKey,
    model: 'tts-1',
    voice: 'alloy',
    timeoutMs,
  });
  const tts = (timeoutMs?: number) => createOpenAiTextToSpeech(endpoint(timeoutMs), dispatcher);
  const stt = (timeoutMs?: number) =>
    createOpenAiSpeechToText({ ...endpoint(timeoutMs), model: 'whisper-1' }, dispatcher);
  const speak = async (timeoutMs?: number): Promise<AudioFrame[]> => {
    const frames: AudioFrame[] = [];
    const options = { signal: new AbortController().signal, voice: '', language: 'en' };
    for await (const frame of tts(timeoutMs).synthesize(text('Hello.'), options))
      frames.push(frame);
    return frames;
  };
  const hear = (onInterim: (transcript: Transcript) => void = () => undefined) =>
    stt().open({
      sampleRateHz: 8000,
      language: 'en-US',
      signal: new AbortController().signal,
      onInterim,
    });

  describe('text to speech', () => {
    itKeepsTheTextToSpeechContract(() => ({
      tts: tts(),
      breakNext: () => server.misbehaviors.push({ type: 'status', status: 500 }),
      hangNext: () => server.misbehaviors.push({ type: 'stall-after', bytes: 4000 }),
      connectionCount: () => server.connectionCount,
    }));

    it('puts samples together that were cut in two', async () => {
      server.pieceBytes = [1, 3, 4801, 7, 959];
      const samples = (await speak()).flatMap((frame) => [...frame.samples]);
      assert.deepEqual(
        samples,
        Array.from({ length: 12_000 }, (_, i) => speechSample(i)),
      );
    });

    it('closes the connection of a request that it gave up', async () => {
      server.misbehaviors.push({ type: 'stall-after', bytes: 4000 });
      const abort = new AbortController();
      const options = { signal: abort.signal, voice: '', language: 'en' };
      for await (const frame of tts().synthesize(text('Hello.'), options)) {
        if (frame.samples.length > 0) abort.abort();
      }
      while (server.canceledCount === 0) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(server.canceledCount, 1);
    });

    for (const [name, bad, code, retryable] of [
      [
        'a server out of order',
        { type: 'status', status: 503 },
        'SPEECH_PROVIDER_OVERLOADED',
        true,
      ],
      ['too many requests', { type: 'status', status: 429 }, 'SPEECH_PROVIDER_OVERLOADED', true],
      [
        'an account out of money',
        { type: 'status', status: 429, code: 'insufficient_quota' },
        'SPEECH_PROVIDER_REFUSED',
        false,
      ],
      ['a refusal', { type: 'status', status: 400 }, 'SPEECH_PROVIDER_REFUSED', false],
      ['a server that never answers', { type: 'stall' }, 'SPEECH_PROVIDER_TIMEOUT', true],
      ['audio that stops', { type: 'stall-after', bytes: 2000 }, 'SPEECH_PROVIDER_TIMEOUT', true],
      ['a broken line', { type: 'break-after', bytes: 2000 }, 'SPEECH_PROVIDER_UNREACHABLE', true],
      ['an empty answer', { type: 'body', body: '' }, 'SPEECH_PROVIDER_MALFORMED', true],
    ] as const) {
      it(`names ${name}`, async () => {
        server.misbehaviors.push(bad);
        await assert.rejects(speak(300), (err) => {
          assert.ok(err instanceof SpeechError);
          assert.deepEqual([err.code, err.retryable], [code, retryable]);
          assert.doesNotMatch(JSON.stringify(err.facts), /sk-test|Hello/);
          return true;
        });
      });
    }

    it('reuses the connection that was opened ahead', async () => {
      const provider = tts();
      await provider.prewarm(new AbortController().signal);
      await new Promise((done) => setTimeout(done, 20));
      await speak();
      assert.equal(server.connectionCount, 1);
    });

    it('does not throw when nobody answers ahead', async () => {
      const provider = createOpenAiTextToSpeech(
        { ...endpoint(), baseUrl: 'http://127.0.0.1:9/v1' },
        dispatcher,
      );
      await provider.prewarm(new AbortController().signal);
      const options = { signal: new AbortController().signal, voice: '', language: 'en' };
      await assert.rejects(
        async () => {
          for await (const _ of provider.synthesize(text('Hello.'), options)) assert.fail();
        },
        { code: 'SPEECH_PROVIDER_UNREACHABLE' },
      );
    });
  });

  describe('speech to text', () => {
    itKeepsTheSpeechToTextContract(() => ({
      stt: stt(),
      speech: tone(600),
      breakNext: () => server.misbehaviors.push({ type: 'status', status: 500 }),
    }));

    it('sends the utterance as it was written', async () => {
      const hearing = hear();
      const speech = tone(500);
      write(hearing, speech);
      server.text = ' What are your hours? ';
      assert.equal((await hearing.finalize()).text, 'What are your hours?');
      const [sent] = server.transcriptions;
      assert.deepEqual(sent?.samples, speech);
      assert.deepEqual([sent.sampleRateHz, sent.model, sent.language], [8000, 'whisper-1', 'en']);
      hearing.close();
    });

    it('asks once when the turn ends as it was at the pause', async () => {
      const hearing = hear();
      write(hearing, tone(500));
      hearing.pause();
      await hearing.finalize();
      assert.equal(server.transcriptions.length, 1);
      hearing.close();
    });

    it('gives up a request when the caller goes on, and asks for the whole', async () => {
      server.misbehaviors.push({ type: 'stall' });
      const hearing = hear();
      write(hearing, tone(500));
      hearing.pause();
      while (server.transcriptions.length === 0) await new Promise((done) => setImmediate(done));
      write(hearing, tone(300));
      await hearing.finalize();
      while (server.canceledCount === 0) await new Promise((done) => setImmediate(done));
      assert.equal(server.transcriptions.at(-1)?.samples.length, 800 * 8);
      hearing.close();
    });

    it('refuses an answer that is too long or no transcription', async () => {
      for (const body of ['x'.repeat(70_000), '[]', '{"text":7}', 'nonsense']) {
        server.misbehaviors.push({ type: 'body', body });
        const hearing = hear();
        write(hearing, tone(300));
        await assert.rejects(hearing.finalize(), { code: 'SPEECH_PROVIDER_MALFORMED' });
        hearing.close();
      }
    });

    it('sends nothing for a click', async () => {
      const hearing = hear();
      write(hearing, tone(60));
      assert.equal((await hearing.finalize()).text, '');
      assert.equal(server.transcriptions.length, 0);
      hearing.close();
    });
  });
});

function tone(ms: number): Int16Array {
  return Int16Array.from({ length: ms * 8 }, (_, i) => Math.round(6000 * Math.sin(i / 3)));
}

function write(
  hearing: ReturnType<ReturnType<typeof createOpenAiSpeechToText>['open']>,
  speech: Int16Array,
): void {
  for (let at = 0; at < speech.length; at += 160) {
    hearing.write({ samples: speech.subarray(at, at + 160), sampleRateHz: 8000 }, at / 8);
  }
}

async function* text(...pieces: string[]): AsyncGenerator<string> {
  for (const piece of pieces) yield piece;
}
