import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** An address of this machine that is not loopback; what is sent there never leaves it. */
const own = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

describe('a source that is no trunk', function () {
  this.timeout(40_000);

  it('is dropped unread, until a reload makes it one', async function () {
    if (own === undefined) this.skip();
    const folder = await temporaryFolder();
    const configFile = join(folder.path, 'trunkline.yaml');
    const yaml = (source: string) =>
      `sip: { host: "${own}" }\ntrunks: [{ name: north, hosts: ["198.51.100.1"], options_seconds: 0, allowed_sources: ["${source}"] }]\n`;
    await writeFile(configFile, yaml('198.51.100.2'));
    const gateway = await Gateway.start({ env: { TRUNKLINE_CONFIG: configFile } });
    const socket = createSocket('udp4').bind(0, own);
    try {
      await once(socket, 'listening');
      const ask = (branch: string) =>
        socket.send(
          [
            `OPTIONS sip:${own} SIP/2.0`,
            `Via: SIP/2.0/UDP ${own}:${socket.address().port};branch=z9hG4bK${branch};rport`,
            'Max-Forwards: 70',
            `From: <sip:x@${own}>;tag=1`,
            `To: <sip:y@${own}>`,
            `Call-ID: ${branch}`,
            'CSeq: 1 OPTIONS',
            'Content-Length: 0',
            '',
            '',
          ].join('\r\n'),
          gateway.sipPort,
          own,
        );
      const answers: string[] = [];
      socket.on('message', (data) => answers.push(data.toString('utf8')));
      ask('first');
      while ((await gateway.metric('trunkline_sip_events', /droppedUnknownSource/)) === 0);
      await writeFile(configFile, yaml(own));
      gateway.process.kill('SIGHUP');
      await gateway.line(/trunks reloaded/);
      const answered = once(socket, 'message');
      ask('second');
      await answered;
      assert.equal(answers.length, 1, 'the first was never answered');
      assert.match(answers[0] ?? '', /^SIP\/2\.0 200 [\s\S]*Call-ID: second/i);
    } finally {
      socket.close();
      await gateway.stop();
      await folder.remove();
    }
  });
});
