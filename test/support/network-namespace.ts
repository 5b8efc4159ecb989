import { execFileSync, spawnSync } from 'node:child_process';
import { hasProgram } from './mocha-setup.ts';

/** The test's end of the wire, and the other's, which may move; and one that stays. */
export interface NetworkNamespace {
  readonly name: string;
  readonly here: string;
  readonly there: string;
  readonly thereNext: string;
  /** Of the other side too, on a wire of its own: for whoever only looks on. */
  readonly fixed: string;
  /** Takes `there` away and gives `thereNext`, as a provider does at night. */
  move(): void;
  remove(): void;
}

/** Skips a suite, visibly, where a router cannot be made. Call it first. */
export function needsRouters(context: Mocha.Context): void {
  needsNamespaces(context);
  if (hasProgram('nft') && hasProgram('sysctl')) return;
  process.stderr.write('skipped: routers need nftables and procps\n');
  context.skip();
}

/** Skips a suite, visibly, where no network namespace can be made. Call it first. */
export function needsNamespaces(context: Mocha.Context): void {
  const name = `tl-probe-${process.pid}`;
  const isMade = spawnSync('ip', ['netns', 'add', name], { stdio: 'ignore' }).status === 0;
  if (isMade) {
    ip('netns', 'del', name);
    return;
  }
  process.stderr.write('skipped: network namespaces need root and iproute2\n');
  context.skip();
}

/** A namespace with a wire to this one. Its addresses are of this process alone. */
export function makeNamespace(): NetworkNamespace {
  const id = process.pid % 250;
  const name = `tl-${process.pid}`;
  const [ours, theirs] = [`tlo${process.pid}`, `tli${process.pid}`];
  const [net, looking] = [`10.213.${id}`, `10.214.${id}`];
  const inside = (...args: readonly string[]) => ip('-n', name, ...args);
  ip('netns', 'add', name);
  ip('link', 'add', ours, 'type', 'veth', 'peer', 'name', theirs, 'netns', name);
  for (const base of [net, looking]) {
    ip('addr', 'add', `${base}.1/24`, 'dev', ours);
    inside('addr', 'add', `${base}.2/24`, 'dev', theirs);
  }
  ip('link', 'set', ours, 'up');
  inside('link', 'set', 'lo', 'up');
  inside('link', 'set', theirs, 'up');
  return {
    name,
    here: `${net}.1`,
    there: `${net}.2`,
    thereNext: `${net}.3`,
    fixed: `${looking}.2`,
    move: () => {
      inside('addr', 'del', `${net}.2/24`, 'dev', theirs);
      inside('addr', 'add', `${net}.3/24`, 'dev', theirs);
    },
    // The wire goes with it.
    remove: () => ip('netns', 'del', name),
  };
}

/** A daemon's network behind a router that translates addresses, and the world outside it. */
export interface RoutedNetwork {
  /** Namespace of the daemon. */
  readonly name: string;
  /** Two addresses of the test's own, outside. */
  readonly here: string;
  readonly alsoHere: string;
  /** What the outside sees of the daemon, and after `move`. */
  readonly outside: string;
  readonly outsideNext: string;
  /** The daemon's own address. */
  readonly inside: string;
  /** The daemon on a wire of its own, for whoever only looks on. */
  readonly fixed: string;
  /** Ports that the router gives to `sipPort` of the daemon. All others it keeps, if it can. */
  readonly translatedPorts: { readonly min: number; readonly max: number };
  /** Rules for what passes the router, e.g. `ip daddr 10.0.0.1 drop`; none: all may pass. */
  filter(...rules: readonly string[]): void;
  /** The provider gives another address; what the router has translated so far is forgotten. */
  move(): void;
  remove(): void;
}

export function makeRoutedNetwork(sipPort: number): RoutedNetwork {
  const id = process.pid % 250;
  const [name, router] = [`tld-${process.pid}`, `tlr-${process.pid}`];
  const [net, looking, home] = [`10.215.${id}`, `10.216.${id}`, `192.168.${id}`];
  const wire = (kind: string) => `tl${kind}${process.pid}`;
  const inRouter = (...args: readonly string[]) => ip('-n', router, ...args);
  const inside = (...args: readonly string[]) => ip('-n', name, ...args);
  const nft = (...rules: readonly string[]) => {
    for (const rule of rules) execFileSync('ip', ['netns', 'exec', router, 'nft', rule]);
  };
  const translatedPorts = { min: 30_000, max: 30_099 };
  ip('netns', 'add', name);
  ip('netns', 'add', router);
  ip('link', 'add', wire('w'), 'type', 'veth', 'peer', 'name', wire('x'), 'netns', router);
  ip('link', 'add', wire('l'), 'type', 'veth', 'peer', 'name', wire('m'), 'netns', name);
  inRouter('link', 'add', wire('h'), 'type', 'veth', 'peer', 'name', wire('i'), 'netns', name);
  ip('addr', 'add', `${net}.1/24`, 'dev', wire('w'));
  ip('addr', 'add', `${net}.9/24`, 'dev', wire('w'));
  ip('addr', 'add', `${looking}.1/24`, 'dev', wire('l'));
  inRouter('addr', 'add', `${net}.2/24`, 'dev', wire('x'));
  inRouter('addr', 'add', `${home}.1/24`, 'dev', wire('h'));
  inside('addr', 'add', `${home}.2/24`, 'dev', wire('i'));
  inside('addr', 'add', `${looking}.2/24`, 'dev', wire('m'));
  for (const kind of ['w', 'l']) ip('link', 'set', wire(kind), 'up');
  for (const kind of ['x', 'h']) inRouter('link', 'set', wire(kind), 'up');
  for (const device of ['lo', wire('i'), wire('m')]) inside('link', 'set', device, 'up');
  inside('route', 'add', 'default', 'via', `${home}.1`);
  execFileSync('ip', ['netns', 'exec', router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  nft(
    'add table ip nat',
    'add chain ip nat out { type nat hook postrouting priority srcnat ; }',
    `add rule ip nat out oifname ${wire('x')} udp sport ${sipPort} masquerade to :${translatedPorts.min}-${translatedPorts.max}`,
    `add rule ip nat out oifname ${wire('x')} masquerade`,
    'add table ip filter',
    'add chain ip filter forward { type filter hook forward priority filter ; }',
  );
  return {
    name,
    here: `${net}.1`,
    alsoHere: `${net}.9`,
    outside: `${net}.2`,
    outsideNext: `${net}.3`,
    inside: `${home}.2`,
    fixed: `${looking}.2`,
    translatedPorts,
    filter: (...rules) => {
      nft(
        'flush chain ip filter forward',
        ...rules.map((rule) => `add rule ip filter forward ${rule}`),
      );
    },
    move: () => {
      inRouter('addr', 'del', `${net}.2/24`, 'dev', wire('x'));
      inRouter('addr', 'add', `${net}.3/24`, 'dev', wire('x'));
    },
    remove: () => {
      ip('netns', 'del', router);
      ip('netns', 'del', name);
    },
  };
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
