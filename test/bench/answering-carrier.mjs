/**
 * A carrier in a process of its own, so that its work is not counted as ours: takes every
 * registration and every call, at once, over UDP. Says its port on standard output.
 */
import { createSocket } from 'node:dgram';

const socket = createSocket('udp4');
const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n';

socket.on('message', (data, { port, address }) => {
  const [head = ''] = data.toString('utf8').split('\r\n\r\n', 1);
  const method = head.slice(0, head.indexOf(' '));
  if (method === 'ACK' || method === 'SIP/2.0') return;
  const lines = head.split('\r\n').slice(1);
  const copied = lines
    .filter((line) => /^(via|from|call-id|cseq|record-route|contact):/i.test(line))
    .filter((line) => method === 'REGISTER' || !/^contact:/i.test(line));
  const to = lines.find((line) => /^to:/i.test(line)) ?? 'To: <sip:x@x>';
  const body = method === 'INVITE' ? SDP : '';
  const answer = [
    'SIP/2.0 200 OK',
    ...copied,
    /;tag=/.test(to) ? to : `${to};tag=carrier`,
    ...(method === 'REGISTER' ? [] : [`Contact: <sip:carrier@127.0.0.1:${socket.address().port}>`]),
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${body.length}`,
    '',
    body,
  ];
  socket.send(answer.join('\r\n'), port, address);
});
socket.bind(0, '127.0.0.1', () => process.stdout.write(`${socket.address().port}\n`));
