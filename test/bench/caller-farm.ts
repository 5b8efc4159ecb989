import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { openPhoneCodec } from '../support/phone-codec.ts';
import { SipPhone } from '../support/sip-phone.ts';
import { callerSays, joined, lineSilence, voiceSpan } from '../support/test-caller.ts';

/**
 * Many telephones in one process of their own, so that their cost is not counted as the
 * gateway's. Each says its question over and over; what is said was encoded once.
 *
 * Arguments: SIP port, codec (pcmu or opus), number of calls, seconds, and how they talk:
 * `asking` asks and listens; `interrupting` also asks into every second answer. Talks to its
 * parent by messages: `up` when all calls stand, `done` when all have hung up.
 */
const [, , sipPortText, codecName, callsText, secondsText, manners = 'asking'] = process.argv;
const sipPort = Number(sipPortText);
const calls = Number(callsText);
const seconds = Number(secondsText);

const FRAME_MS = 20;
/** After each question: the time to hear its answer, or only its beginning. */
const QUIET_MS: Readonly<Record<string, readonly number[]>> = {
  asking: [5_000],
  interrupting: [4_500, 1_400, 5_000],
};

/** The embedded recognizer must know them; to engines that understand nothing all is one. */
const QUESTIONS: Readonly<Record<string, readonly string[]>> = {
  asking: ['tell me a joke'],
  interrupting: [
    'tell me a joke',
    'what can you do',
    'when are you open',
    'i want to order a cake',
  ],
};

/** A packet in which the caller's voice begins or ends. */
export interface VoiceMark {
  readonly kind: 'onset' | 'end';
  readonly sequence: number;
}

/** What the farm tells when all is over. */
export interface FarmReport {
  readonly type: 'done';
  readonly packetsReceivedPerCall: number;
  readonly lines: readonly { readonly gatewayPort: number; readonly marks: readonly VoiceMark[] }[];
}

interface Recording {
  readonly frames: readonly Uint8Array[];
  /** Frames in which a voice begins or ends. */
  readonly markOf: ReadonlyMap<number, VoiceMark['kind']>;
}

interface Line {
  readonly recording: Recording;
  readonly phone: SipPhone;
  readonly socket: Socket;
  readonly marks: VoiceMark[];
  remotePort: number;
  /** Where in the recording this line is; lines are spread over it. */
  frame: number;
  sequence: number;
  received: number;
}

const phoneCodec = await openPhoneCodec(codecName === 'opus' ? 'opus' : 'pcmu');
const recordings = (QUESTIONS[manners] ?? []).map(encodeRecording);
const lines: Line[] = [];
for (let index = 0; index < calls; index += 1) {
  lines.push(await openLine(index));
  // A carrier's calls do not come in one instant.
  await new Promise((resolve) => setTimeout(resolve, 20));
}
const ticker = startTicker();
process.send?.({ type: 'up' });
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
clearInterval(ticker);
await Promise.all(lines.map(({ phone }) => phone.bye()));
for (const { phone, socket } of lines) {
  phone.close();
  socket.close();
}
phoneCodec.close();
const received = lines.reduce((sum, line) => sum + line.received, 0);
const report: FarmReport = {
  type: 'done',
  packetsReceivedPerCall: received / calls,
  lines: lines.map(({ remotePort, marks }) => ({ gatewayPort: remotePort, marks })),
};
process.send?.(report, () => process.disconnect?.());

function encodeRecording(text: string): Recording {
  const question = callerSays(text);
  const { startMs, endMs } = voiceSpan(question);
  const markOf = new Map<number, VoiceMark['kind']>();
  const parts: Int16Array[] = [];
  let startFrame = 0;
  for (const quietMs of QUIET_MS[manners] ?? []) {
    parts.push(question, lineSilence(quietMs));
    markOf.set(startFrame + Math.floor(startMs / FRAME_MS), 'onset');
    markOf.set(startFrame + Math.ceil(endMs / FRAME_MS) - 1, 'end');
    startFrame = Math.round(joined(...parts).length / 8 / FRAME_MS);
  }
  const speech = joined(...parts);
  const step = phoneCodec.sampleRateHz / 8_000;
  const samples = Int16Array.from(
    { length: speech.length * step },
    (_, at) => speech[Math.floor(at / step)] ?? 0,
  );
  const size = (phoneCodec.sampleRateHz * FRAME_MS) / 1_000;
  const encoded: Uint8Array[] = [];
  for (let at = 0; at + size <= samples.length; at += size) {
    encoded.push(phoneCodec.encode(samples.subarray(at, at + size)).slice());
  }
  return { frames: encoded, markOf };
}

async function openLine(index: number): Promise<Line> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const phone = await SipPhone.open(sipPort);
  const { payloadType, rtpmap } = phoneCodec;
  const answer = await phone.invite({
    sdp: [
      'v=0',
      'o=- 1 1 IN IP4 127.0.0.1',
      's=-',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      `m=audio ${socket.address().port} RTP/AVP ${payloadType}`,
      `a=rtpmap:${payloadType} ${rtpmap}`,
      '',
    ].join('\r\n'),
  });
  if (answer.status !== 200) throw new Error(`a call was refused: ${answer.startLine}`);
  const remotePort = Number(/m=audio (\d+)/.exec(answer.body)?.[1]);
  const recording = recordings[index % recordings.length];
  if (recording === undefined) throw new Error(`nobody calls by ${manners}`);
  const frame = Math.floor((index / calls) * recording.frames.length);
  const line: Line = {
    phone,
    socket,
    recording,
    marks: [],
    remotePort,
    frame,
    sequence: 0,
    received: 0,
  };
  socket.on('message', () => {
    line.received += 1;
  });
  return line;
}

/** Sends what is due on every line, a few lines each 2 ms, so that packets do not come in bursts. */
function startTicker(): NodeJS.Timeout {
  const startedMs = performance.now();
  const sent = lines.map(() => 0);
  const packet = Buffer.alloc(12 + 1_500);
  packet[0] = 0x80;
  packet[1] = phoneCodec.payloadType;
  return setInterval(() => {
    const elapsedMs = performance.now() - startedMs;
    for (const [index, line] of lines.entries()) {
      const dueMs = (sent[index] ?? 0) * FRAME_MS + ((index * 2) % FRAME_MS);
      if (dueMs > elapsedMs) continue;
      sent[index] = (sent[index] ?? 0) + 1;
      const { frames, markOf } = line.recording;
      const at = line.frame % frames.length;
      const payload = frames[at];
      if (payload === undefined) continue;
      line.frame += 1;
      line.sequence = (line.sequence + 1) & 0xffff;
      const kind = markOf.get(at);
      if (kind !== undefined) line.marks.push({ kind, sequence: line.sequence });
      packet.writeUInt16BE(line.sequence, 2);
      packet.writeUInt32BE(((sent[index] ?? 0) * phoneCodec.frameTicks) >>> 0, 4);
      packet.writeUInt32BE(index + 1, 8);
      packet.set(payload, 12);
      const size = 12 + payload.length;
      line.socket.send(Buffer.from(packet.subarray(0, size)), line.remotePort, '127.0.0.1');
    }
  }, 2);
}
