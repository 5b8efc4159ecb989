import { parentPort, workerData } from 'node:worker_threads';
import { MediaEngine } from '../media/media-engine.ts';
import { sliceOfPortRange } from '../media/port-pool.ts';
import { freeUdpPort } from '../media/webrtc/free-udp-port.ts';
import { WebRtcPort } from '../media/webrtc/webrtc-port.ts';
import { SpeechEngines } from '../speech/speech-engines.ts';
import { handleMessage } from './handle-message.ts';
import { Legs } from './legs.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import type { VoiceWorkerData } from './worker-thread.ts';
import { QUALITY_WINDOW_MS } from './quality-watch.ts';

/** How often the worker tells how it is doing. */
const REPORT_EVERY_MS = 5_000;

/** The thread's entry: media and speech of many legs, and nothing that waits on a disk. */
async function main(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new TypeError('this file is a worker thread');
  const settings: VoiceWorkerData = workerData;
  const { first, last } = settings.ports;
  const post = (message: FromWorker): void => port.postMessage(message);
  const onError = (error: unknown): void =>
    post({
      type: 'log',
      level: 'error',
      message: 'a voice worker met an error',
      facts: { err: describe(error) },
    });

  const [media, speech] = await Promise.all([
    MediaEngine.start({
      bindAddress: settings.mediaHost,
      ...(settings.externalAddress === null ? {} : { announcedAddress: settings.externalAddress }),
      ports: sliceOfPortRange({ min: first, max: last }, settings.index, settings.workers),
      rtpTimeoutMs: settings.rtpTimeoutMs,
      hasStrictSources: settings.hasStrictSources,
      onError,
    }),
    SpeechEngines.load(),
  ]);
  const legs = new Legs({
    media,
    speech,
    openWebRtcPort: () => openWebRtcPort(settings),
    post,
    onError,
    // Speech threads and recognizers would keep this thread alive. Ends the thread alone, and
    // runs the exit hooks that `terminate` skips.
    onStopped: () => process.exit(0),
  });
  if (media.opusEngine !== 'native') {
    const message =
      media.opusEngine === 'wasm'
        ? 'the Opus addon did not load: WebAssembly does its work at twice the cost'
        : 'no Opus codec could be loaded: calls in Opus are refused';
    post({ type: 'log', level: 'warn', message, facts: {} });
  }
  port.on('message', (message: ToWorker) => handleMessage(message, legs));
  setInterval(() => post(legs.report()), REPORT_EVERY_MS).unref();
  setInterval(() => legs.watchQuality(), QUALITY_WINDOW_MS).unref();
  post({ type: 'worker-ready', codecs: media.codecs });
}

/** Loaded by the first browser: a worker that knows only phones is spared the library. */
async function openWebRtcPort(settings: VoiceWorkerData): Promise<WebRtcPort> {
  const { mediaHost: bindAddress, externalAddress, webRtcPort } = settings;
  const port = webRtcPort === 0 ? await freeUdpPort(bindAddress) : webRtcPort + settings.index;
  const announced = externalAddress === null ? {} : { announcedAddresses: [externalAddress] };
  return WebRtcPort.open({ bindAddress, port, ...announced });
}

/** An error as plain facts: it has to survive the way to the main thread. */
function describe(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = 'code' in error ? error.code : undefined;
  return { type: error.name, message: error.message, stack: error.stack, code };
}

await main();
