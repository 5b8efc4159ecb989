import { execFileSync, spawnSync } from 'node:child_process';

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

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
