import { parentPort, workerData } from 'node:worker_threads';
import { WebRtcPort } from '../../src/media/webrtc/webrtc-port.ts';
import { freeUdpPort, RecordedEvents, WebRtcClient } from './webrtc-client.ts';

/** A voice worker in small: one call through its own port, then an end as `workerData.end` says. */
const port = WebRtcPort.open({ bindAddress: '127.0.0.1', port: await freeUdpPort() });
const client = new WebRtcClient();
const events = new RecordedEvents();
client.answer(port.accept(client.offerSdp, events).answerSdp);
await Promise.all([client.opened.happened, events.connected.happened]);
client.sendRtp(Buffer.from('hello'));
await events.until(() => events.rtp.length === 1);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port
parentPort?.postMessage('called');
await new Promise<void>((resolve) => parentPort?.once('message', () => resolve()));
if (workerData.end === 'crash') throw new Error('crash in mid-call');
client.close();
port.close();
