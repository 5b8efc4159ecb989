import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Programs that some tests need, and the Debian packages that bring each. */
const PROGRAMS = {
  sipp: ['sip-tester'],
  baresip: ['baresip-core'],
  flite: ['flite'],
  ffmpeg: ['ffmpeg'],
  chromium: ['chromium'],
  kamailio: ['kamailio', 'kamailio-tls-modules'],
  svmap: ['sipvicious'],
  python3: ['python3', 'python3-requests'],
  openssl: ['openssl'],
  ip: ['iproute2'],
  nft: ['nftables'],
  sysctl: ['procps'],
} as const satisfies Record<string, readonly string[]>;

export type Program = keyof typeof PROGRAMS;

const APT_TIMEOUT_MS = 600_000;

/**
 * Before all tests, in the parent process and once: installs what is missing where that is
 * allowed (root on Debian), else says what is missing. Tests that need a program ask
 * `hasProgram` and are reported as skipped. `TRUNKLINE_TEST_NO_INSTALL=1` installs nothing.
 */
export function mochaGlobalSetup(): void {
  const missing = names().filter((name) => !hasProgram(name));
  if (missing.length === 0) return;
  if (mayInstall()) install(missing.flatMap((name) => PROGRAMS[name]));
  const still = names().filter((name) => !hasProgram(name));
  if (still.length > 0) {
    process.stdout.write(
      `Not installed, so tests that need them are skipped: ${still.join(', ')}\n`,
    );
  }
}

export function hasProgram(name: Program): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(`${folder}/${name}`));
}

function names(): readonly Program[] {
  return Object.keys(PROGRAMS).filter(isProgram);
}

function isProgram(name: string): name is Program {
  return name in PROGRAMS;
}

function mayInstall(): boolean {
  const isDebian =
    existsSync('/etc/debian_version') && readFileSync('/etc/os-release', 'utf8').includes('debian');
  return isDebian && process.getuid?.() === 0 && process.env.TRUNKLINE_TEST_NO_INSTALL !== '1';
}

function install(packages: readonly string[]): void {
  process.stdout.write(`Installing ${packages.join(', ')} for the tests…\n`);
  const options = {
    stdio: 'ignore' as const,
    timeout: APT_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  spawnSync('apt-get', ['update', '-qq'], options);
  // One by one: a package that cannot be had must not keep the others away.
  for (const name of packages) {
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], options);
  }
}
