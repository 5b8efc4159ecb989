import { flood } from '../support/sip-flood.ts';

/** In a process of its own. Arguments: SIP port, packets, packets per second, sources. */
const [sipPort = 0, packets = 0, packetsPerSecond = 0, sources = 0] = process.argv
  .slice(2)
  .map(Number);
await flood({ sipPort, packets, packetsPerSecond, sources });
