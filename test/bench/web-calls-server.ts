import { MediaEngine } from '../../src/media/media-engine.ts';
import { WebRtcLeg } from '../../src/media/webrtc/webrtc-leg.ts';
import { WebRtcPort } from '../../src/media/webrtc/webrtc-port.ts';
import { tone } from '../support/audio.ts';
import { freeUdpPort } from '../support/webrtc-client.ts';

/** The server's side of the bench: legs that hear a browser and speak all the time. */
const LOW_WATER_MS = 400;
const bindAddress = '127.0.0.1';

const engine = await MediaEngine.start({ bindAddress, ports: { min: 1, max: 0 } });
const port = WebRtcPort.open({ bindAddress, port: await freeUdpPort() });
const legs: WebRtcLeg[] = [];

async function answer(offerSdp: string): Promise<string> {
  const leg = await WebRtcLeg.accept(offerSdp, {
    port,
    ...engine.shared,
    onError: (error) => console.error(error),
    onConnected: () => {},
    onMessagesOpen: () => {},
    onMessage: () => {},
    onClosed: () => {},
  });
  const { sink, source } = leg;
  const rateHz = sink.preferredSampleRateHz;
  const speech = { samples: tone(300, rateHz, 1000), sampleRateHz: rateHz };
  source.onFrame(() => {
    if (sink.queuedMs() < LOW_WATER_MS) sink.write(speech);
  });
  legs.push(leg);
  return leg.answerSdp;
}

process.on('message', (message: { readonly id: number; readonly sdp: string } | 'close') => {
  if (message === 'close') {
    for (const leg of legs.splice(0)) leg.close();
    return;
  }
  void answer(message.sdp).then((sdp) => process.send?.({ id: message.id, sdp }));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
