import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { MediaEngine } from '../../../src/media/media-engine.ts';
import { reachableAddress } from '../../../src/media/own-address.ts';

describe('the address that session descriptions name', () => {
  it('is the one the sockets are bound to', () => {
    assert.equal(reachableAddress('127.0.0.1'), '127.0.0.1');
    assert.equal(reachableAddress('192.0.2.7'), '192.0.2.7');
  });

  it('is one of the machine for sockets bound to all of them, which would mean "on hold"', async () => {
    const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const ports = { min: 46_000, max: 46_099 };
    const engine = await MediaEngine.start({ bindAddress: '0.0.0.0', ports, portDrainMs: 0 });
    const leg = await engine.openLeg();
    engine.close();
    assert.ok(
      own.some(({ address, family }) => family === 'IPv4' && address === leg.local.address),
    );
  });
});
