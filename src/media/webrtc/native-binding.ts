import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Audio, IceUdpMuxListener, PeerConnection } from 'node-datachannel';
import { MediaError } from '../media-error.ts';

/** The part of libdatachannel's addon that we use. */
export interface NativeBinding {
  readonly PeerConnection: typeof PeerConnection;
  readonly Audio: typeof Audio;
  readonly IceUdpMuxListener: typeof IceUdpMuxListener;
  cleanup(): void;
}

/** `dlopen` flag of Linux and Android; Node passes it on though it does not name it. */
const RTLD_NODELETE = 0x1000;

let loaded: NativeBinding | null = null;

/**
 * Loads the addon for this thread. It keeps JavaScript constructors in C++ statics, so a second
 * thread that loads the same library, or one that starts after the first has ended, takes the
 * whole process down. Hence each thread maps a private copy of the file, and on Linux keeps it
 * mapped for ever: OpenSSL's thread destructors outlive the thread that loaded them.
 *
 * When the thread's environment ends, `cleanup` must have run, else the process aborts. An `exit`
 * hook sees to that, also after an uncaught exception. `worker.terminate()` runs no hook: never
 * terminate a thread that has called this.
 *
 * Throws `MEDIA_WEBRTC_UNAVAILABLE`.
 */
export function loadNativeBinding(): NativeBinding {
  if (loaded !== null) return loaded;
  try {
    const binding = openFirst(findLibraries());
    process.on('exit', () => binding.cleanup());
    loaded = binding;
    return binding;
  } catch (error) {
    const message = 'libdatachannel could not be loaded on this machine';
    throw new MediaError('MEDIA_WEBRTC_UNAVAILABLE', message, { cause: error });
  }
}

/** Prebuilt libraries for this machine that npm has installed; one, unless it ignored `libc`. */
function findLibraries(): readonly string[] {
  const here = createRequire(import.meta.url);
  const library = createRequire(here.resolve('node-datachannel'));
  const target = `${process.platform}-${process.arch}`;
  const names = [`${target}-gnu`, `${target}-musl`, `${target}-msvc`, target];
  return names.flatMap((name) => {
    try {
      return [library.resolve(`@node-datachannel/${name}`)];
    } catch {
      return [];
    }
  });
}

/** The first one that this machine's C library accepts. */
function openFirst(libraries: readonly string[]): NativeBinding {
  let failure: unknown = new Error('no prebuilt library is installed for this machine');
  for (const library of libraries) {
    try {
      return openPrivateCopy(library);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function openPrivateCopy(library: string): NativeBinding {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-webrtc-'));
  const copy = join(folder, 'node_datachannel.node');
  const holder: { exports: unknown } = { exports: {} };
  const isLinux = process.platform === 'linux';
  try {
    copyFileSync(library, copy);
    process.dlopen(holder, copy, constants.dlopen.RTLD_NOW | (isLinux ? RTLD_NODELETE : 0));
  } finally {
    // A mapped library needs no name.
    rmSync(folder, { recursive: true, force: true });
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the addon's own declaration
  return holder.exports as NativeBinding;
}
