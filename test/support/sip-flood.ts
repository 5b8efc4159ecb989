import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface FloodOptions {
  readonly sipPort: number;
  /** Packets in all, and each second; late packets are sent at once. */
  readonly packets: number;
  readonly packetsPerSecond: number;
  /** Addresses it comes from: 127.0.0.2 and so on, 250 at most. */
  readonly sources: number;
}

type MakePacket = (number: number, source: string, port: number) => string | Buffer;

const SDP = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 9 RTP/AVP 0',
  '',
].join('\r\n');

/** What people without manners send, in turn. Nothing of it is ever acknowledged. */
const PACKETS: readonly MakePacket[] = [
  (number, source, port) => request('INVITE', `nobody${number}`, number, source, port),
  (number, source, port) => request('OPTIONS', 'demo', number, source, port),
  (number, source, port) => request('REGISTER', `user${number}`, number, source, port),
  // An answer and an ACK that belong to nothing.
  (number, source, port) =>
    request('ACK', 'demo', number, source, port).replace('INVITE sip', 'ACK sip'),
  (number) => `SIP/2.0 200 OK\r\nCall-ID: f${number}\r\nCSeq: 1 INVITE\r\n\r\n`,
  (number) => Buffer.from(`INVITE sip:\u0000${'x'.repeat(number % 900)}`),
  (number, source, port) => request('BYE', 'demo', number, source, port),
  (number, source, port) =>
    request('INVITE', `nobody${number}`, number, source, port).replace(
      'Max-Forwards: 70',
      'Max-Forwards: 0',
    ),
];

/** Sends new requests from many addresses of loopback, each with its own branch, tag and Call-ID. */
export async function flood(options: FloodOptions): Promise<void> {
  const { sipPort, packets, packetsPerSecond, sources } = options;
  const sockets: Socket[] = [];
  for (let index = 0; index < sources; index += 1) {
    const socket = createSocket('udp4');
    // Answers are read and thrown away.
    socket.on('message', () => {});
    socket.bind(0, `127.0.0.${2 + index}`);
    await once(socket, 'listening');
    sockets.push(socket);
  }
  const startedMs = performance.now();
  for (let sent = 0; sent < packets; ) {
    const due = Math.min(packets, ((performance.now() - startedMs) * packetsPerSecond) / 1_000);
    for (; sent < due; sent += 1) {
      const socket = sockets[sent % sources];
      const make = PACKETS[Math.floor(sent / sources) % PACKETS.length];
      if (socket === undefined || make === undefined) continue;
      const { address, port } = socket.address();
      socket.send(make(sent, address, port), sipPort, '127.0.0.1');
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  // What was sent last is still on its way out.
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (const socket of sockets) socket.close();
}

function request(
  method: string,
  user: string,
  number: number,
  source: string,
  port: number,
): string {
  const body = method === 'INVITE' ? SDP : '';
  return [
    `${method} sip:${user}@127.0.0.1 SIP/2.0`,
    `Via: SIP/2.0/UDP ${source}:${port};branch=z9hG4bKflood${number}`,
    'Max-Forwards: 70',
    `From: <sip:flood@${source}>;tag=t${number}`,
    `To: <sip:${user}@127.0.0.1>`,
    `Call-ID: flood${number}@${source}`,
    `CSeq: 1 ${method}`,
    `Contact: <sip:flood@${source}:${port}>`,
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}
