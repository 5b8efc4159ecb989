import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { CodecName, SrtpKeys } from '../../src/model/media.ts';
import { SrtpSender } from '../../src/media/srtp/srtp-sender.ts';
import { openPhoneCodec, type PhoneCodec } from '../support/phone-codec.ts';
import { benchKeys } from './bench-keys.ts';

/**
 * Far ends of the media bench, in a process of their own: what they cost and when they stall
 * must not be counted as the worker's. Each sends a packet every 20 ms, spread over the frame.
 *
 * Arguments: codec, number of phones, suite of SRTP or `plain`. Messages: `{ ports }` when bound; then it waits for
 * `{ ports }` to send to; it ends when its parent disconnects.
 */
const PHASES = 10;
const SLOT_MS = 2;

const [codecName = 'pcmu', count = '1', suite = 'plain'] = process.argv.slice(2);
const phoneCodec = await openPhoneCodec(codecName as CodecName);
const sockets = await Promise.all(Array.from({ length: Number(count) }, openSocket));
process.on('message', ({ ports }: { ports: number[] }) => start(ports));
process.on('disconnect', () => process.exit());
process.send?.({ ports: sockets.map((socket) => socket.address().port) });

async function openSocket(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  // Read and thrown away, or the kernel's buffers fill up.
  socket.on('message', () => {});
  return socket;
}

function firstPacket(index: number, codec: PhoneCodec): Buffer {
  const samples = codec.sampleRateHz / 50;
  const payload = codec.encode(
    Int16Array.from({ length: samples }, (_, n) => 6000 * Math.sin(n / 8)),
  );
  const packet = Buffer.alloc(12 + payload.length);
  packet[0] = 0x80;
  packet[1] = codec.payloadType;
  packet.writeUInt32BE(index + 1, 8);
  packet.set(payload, 12);
  return packet;
}

function keysOf(name: string): SrtpKeys {
  return benchKeys(name as SrtpKeys['suite']);
}

function start(ports: readonly number[]): void {
  const packets = sockets.map((_, index) => firstPacket(index, phoneCodec));
  const senders = suite === 'plain' ? [] : packets.map(() => new SrtpSender(keysOf(suite)));
  const originMs = performance.now();
  let slot = 0;
  const tick = () => {
    for (; originMs + slot * SLOT_MS <= performance.now(); slot += 1) {
      const sequence = Math.floor(slot / PHASES) & 0xffff;
      for (let index = slot % PHASES; index < sockets.length; index += PHASES) {
        const packet = packets[index];
        if (packet === undefined) continue;
        packet.writeUInt16BE(sequence, 2);
        packet.writeUInt32BE((sequence * phoneCodec.frameTicks) >>> 0, 4);
        const sent = senders[index]?.protectRtp(packet) ?? packet;
        sockets[index]?.send(sent, ports[index], '127.0.0.1');
      }
    }
    setTimeout(tick, Math.max(1, originMs + slot * SLOT_MS - performance.now()));
  };
  tick();
}
