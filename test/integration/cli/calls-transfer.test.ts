import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CallPhone } from '../../support/call-phone.ts';
import { trunkline } from '../../support/command-line.ts';
import { FakeCarrier } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NUMBER = '+34911222333';
const DESK = '+34955666777';

describe('trunkline calls transfer', function () {
  this.timeout(60_000);

  it('puts the other side through, and says why it does not', async () => {
    const [carrier, folder] = await Promise.all([FakeCarrier.listen(), temporaryFolder()]);
    const file = join(folder.path, 'trunkline.yaml');
    const trunk = [
      'trunks:',
      '  - name: north',
      `    hosts: ["127.0.0.1:${carrier.port}"]`,
      '    domain: carrier.test',
      '    outbound_prefixes: ["+34"]',
      '    options_seconds: 0',
      `    numbers: { "${NUMBER}": agt_demo }`,
      '',
    ];
    await writeFile(file, trunk.join('\n'));
    const gateway = await Gateway.start({ env: { TRUNKLINE_CONFIG: file } });
    const run = (...args: string[]) =>
      trunkline(args, { TRUNKLINE_URL: gateway.httpUrl, TRUNKLINE_API_KEY: gateway.adminKey });
    const phone = await CallPhone.open(gateway.sipPort);
    phone.sip.onRequest = ({ method }) => ({ status: method === 'REFER' ? 202 : 200 });
    try {
      await phone.call({ user: NUMBER });
      const { call_id: id } = await gateway.nextCall();
      await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);

      const outside = await run('calls', 'transfer', id, '+49301234567');
      assert.equal(outside.code, 77, outside.err);
      assert.match(outside.err, /DESTINATION_NOT_ALLOWED/);
      assert.equal((await run('calls', 'transfer', id, DESK, '--mode', 'sideways')).code, 64);

      const { code, out, err } = await run('calls', 'transfer', id, DESK, '--mode', 'blind');
      assert.equal(code, 0, err);
      assert.match(out, /it is on its way/);
      const refer = await phone.sip.nextRequest('REFER');
      assert.match(refer.headers.get('refer-to')?.[0] ?? '', /\+34955666777/);
      const news = ['Event: refer', 'Subscription-State: terminated;reason=noresource'];
      const type = 'message/sipfrag;version=2.0';
      await phone.sip.request('NOTIFY', 'SIP/2.0 200 OK\r\n', type, news);
      assert.equal((await gateway.endOf(id)).end_reason, 'transferred');
      const late = await run('calls', 'transfer', id, DESK);
      assert.equal(late.code, 65, late.err);
    } finally {
      phone.close();
      await gateway.stop();
      await Promise.all([carrier.close(), folder.remove()]);
    }
  });
});
