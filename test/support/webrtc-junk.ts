import { randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** Thousands of packets of every kind that a stranger could send, some with the right user name. */
export async function throwJunkAt(port: number, answerSdp: string): Promise<void> {
  const ufrag = /a=ice-ufrag:(.+)\r/.exec(answerSdp)?.[1] ?? '';
  const socket = createSocket('udp4');
  const kinds = [
    () => randomBytes(randomInt(1, 1400)),
    () => Buffer.alloc(0),
    () => Buffer.concat([Buffer.from([0x16, 0xfe, 0xfd]), randomBytes(200)]),
    () => Buffer.concat([Buffer.from([0x80, 111]), randomBytes(100)]),
    () => Buffer.concat([Buffer.from([0x80, 200]), randomBytes(60)]),
    () => forgedBinding(`${ufrag}:abcd`),
    () => forgedBinding('nobody:abcd'),
    () => forgedBinding('x'.repeat(600)),
  ];
  for (let sent = 0; sent < 4000; sent += 1) {
    const packet = kinds[sent % kinds.length]?.() ?? Buffer.alloc(0);
    await new Promise((resolve) => socket.send(packet, port, '127.0.0.1', resolve));
  }
  socket.close();
  await once(socket, 'close');
}

/** A Binding request (RFC 8489 §5) with a user name and a MESSAGE-INTEGRITY that is not one. */
function forgedBinding(username: string): Buffer {
  const name = Buffer.from(username);
  const padded = Buffer.concat([name, Buffer.alloc((4 - (name.length % 4)) % 4)]);
  const attribute = (type: number, length: number, value: Buffer) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(length, 2);
    return Buffer.concat([head, value]);
  };
  const body = Buffer.concat([
    attribute(0x0006, name.length, padded),
    attribute(0x0008, 20, randomBytes(20)),
  ]);
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x0001, 0);
  head.writeUInt16BE(body.length, 2);
  head.writeUInt32BE(0x2112a442, 4);
  return Buffer.concat([head, randomBytes(12), body]);
}
