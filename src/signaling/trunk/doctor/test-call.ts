import type { RtpParameters } from '../../../model/media.ts';
import type { AudioCapabilities } from '../../sdp/audio-answer.ts';
import { makeOffer, readAnswer } from '../../sdp/audio-offer.ts';
import { LocalSrtpKeys } from '../../sdp/local-srtp-keys.ts';
import { SdpError } from '../../sdp/sdp-error.ts';
import { SdpOrigin } from '../../sdp/sdp-origin.ts';
import { TrunkDialError, type TrunkDialResult } from '../trunk-dialer.ts';
import type { Patient, TestCallChart } from './patient.ts';
import { TestAudio } from './test-audio.ts';

const RING_MS_MAX = 20_000;
const TALK_MS = 4_000;

/** Calls the number that was named and talks for a few seconds. Null: there was nothing to try. */
export async function makeTestCall(patient: Patient): Promise<TestCallChart | null> {
  const { trunk, media, testNumber } = patient;
  const codecs = trunk.codecs.filter(
    (codec): codec is 'pcmu' | 'pcma' => codec === 'pcmu' || codec === 'pcma',
  );
  if (testNumber === null || codecs.length === 0) return null;
  const audio = await TestAudio.open(media);
  try {
    return await call(patient, testNumber, codecs, audio);
  } catch (error) {
    if (!(error instanceof TrunkDialError)) throw error;
    return { ...NOTHING, why: error.message };
  } finally {
    audio.close();
  }
}

const NOTHING: TestCallChart = {
  isAnswered: false,
  sipStatus: null,
  codec: null,
  encryption: null,
  hasTelephoneEvents: false,
  packetsSent: 0,
  packetsReceived: 0,
  hasEcho: false,
  isReported: false,
  mediaFrom: null,
  remoteMedia: null,
  why: 'it was not answered',
};

async function call(
  { trunk, media, dial, signal }: Patient,
  to: string,
  codecs: readonly ('pcmu' | 'pcma')[],
  audio: TestAudio,
): Promise<TestCallChart> {
  const address = trunk.externalAddress ?? media.externalAddress ?? media.bindAddress;
  const local = { address, port: audio.port };
  const keys = new LocalSrtpKeys();
  const capabilities: AudioCapabilities = {
    codecs,
    createSrtpKeys: trunk.srtp === 'off' ? null : (suite) => keys.of(suite),
    isSrtpRequired: trunk.srtp === 'required',
  };
  const offer = makeOffer(capabilities, local, new SdpOrigin());
  const ended = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  let onEnded: () => void = () => {};
  const gone = new Promise<void>((resolve) => (onEnded = resolve));
  const result = await dial(
    {
      to,
      caller: { number: null },
      trunk: trunk.name,
      offerFor: () => offer.sdp,
      timeoutMs: RING_MS_MAX,
      signal,
    },
    {
      onProgress: () => {},
      onEnded: () => onEnded(),
      onRemoteAnswer: () => {},
      onRemoteOffer: () => Promise.resolve({ type: 'refuse', status: 488 }),
      makeOffer: () => offer.sdp,
      onDigit: () => {},
    },
  );
  if (result.type === 'ended') {
    const { sipStatus, reason } = result;
    return { ...NOTHING, sipStatus, why: reason ?? 'time was up' };
  }
  const read = parametersOf(offer, result);
  const parameters = typeof read === 'string' ? null : read;
  if (parameters !== null) {
    audio.start(parameters, parameters.srtp === null ? null : media.guardPackets(parameters.srtp));
    await Promise.race([talked(), ended, gone]);
  }
  void result.leg.hangUp();
  return {
    isAnswered: true,
    sipStatus: parameters === null ? 488 : 200,
    codec: parameters?.codec ?? null,
    encryption: parameters?.srtp?.local.suite ?? null,
    hasTelephoneEvents: parameters?.telephoneEventPayloadType != null,
    packetsSent: audio.packetsSent,
    packetsReceived: audio.packetsReceived,
    hasEcho: audio.hasEcho,
    isReported: audio.isReported,
    mediaFrom: audio.from,
    remoteMedia:
      parameters === null ? null : `${parameters.remoteAddress}:${parameters.remotePort}`,
    why: typeof read === 'string' ? read : '',
  };
}

const talked = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, TALK_MS));

/** What cannot be used: why. */
function parametersOf(
  offer: ReturnType<typeof makeOffer>,
  { answerSdp }: Extract<TrunkDialResult, { type: 'answered' }>,
): RtpParameters | string {
  try {
    return readAnswer(offer, answerSdp);
  } catch (error) {
    if (error instanceof SdpError) return error.message;
    throw error;
  }
}
