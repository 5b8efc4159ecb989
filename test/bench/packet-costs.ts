import { G722Decoder, G722Encoder } from '../../src/media/codec/g722-codec.ts';
import { SrtpReceiver } from '../../src/media/srtp/srtp-receiver.ts';
import { SrtpSender } from '../../src/media/srtp/srtp-sender.ts';
import { tone } from '../support/audio.ts';
import { benchKeys } from './bench-keys.ts';

const WARM_UP = 5000;
const ROUNDS = 5;
const PER_ROUND = 10_000;

/** CPU of one frame or packet, in microseconds: the best of five rounds, since others only add. */
export interface PacketCost {
  readonly what: string;
  readonly microseconds: number;
}

export function measurePacketCosts(): PacketCost[] {
  const costs: PacketCost[] = [];
  for (const suite of ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM'] as const) {
    const packet = Buffer.alloc(172, 0x80);
    const [sender, receiver] = [
      new SrtpSender(benchKeys(suite)),
      new SrtpReceiver(benchKeys(suite)),
    ];
    const protect = (index: number) => {
      packet.writeUInt16BE(index & 0xffff, 2);
      return sender.protectRtp(packet);
    };
    const both = cost(`SRTP ${suite}, both ways`, (index) => {
      receiver.unprotectRtp(protect(index));
    });
    costs.push(both);
  }
  const encoder = new G722Encoder();
  const decoder = new G722Decoder();
  const frame = tone(700, 16_000, 20);
  const payload = Buffer.from(encoder.encode(frame, true));
  costs.push(cost('G.722 encode', () => encoder.encode(frame, false)));
  costs.push(cost('G.722 decode', () => decoder.decode(payload, 0, payload.length)));
  return costs;
}

function cost(what: string, run: (index: number) => unknown): PacketCost {
  let index = 0;
  for (; index < WARM_UP; index += 1) run(index);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let count = 0; count < PER_ROUND; count += 1, index += 1) run(index);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / PER_ROUND);
  }
  return { what, microseconds: best };
}
