/** WASI errno values used here (wasi_snapshot_preview1). */
const EBADF = 8;
const ESPIPE = 70;
const PREOPENED_FD = 3;
const OUTPUT_FD = 4;
const FILETYPE_DIRECTORY = 3;
const FILETYPE_REGULAR = 4;
const ALL_RIGHTS = 0x1fff_ffffn;

/** The program called `exit`. */
export class WasiExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the program ended with status ${status}`);
    this.status = status;
  }
}

/**
 * The thirteen WASI calls that flite makes, and no more: arguments, one writable file, and
 * output. `node:wasi` is not used, since it crashed the process in three runs of four (Node 20.20).
 * The clock stands still: the program's result depends on its arguments alone.
 */
export class WasiShim {
  readonly imports: WebAssembly.ModuleImports;
  #memory: WebAssembly.Memory | null = null;
  #arguments: readonly Uint8Array[] = [];
  #file: Uint8Array[] = [];
  #printed = '';

  constructor() {
    this.imports = {
      args_sizes_get: (count: number, size: number) => this.#argsSizes(count, size),
      args_get: (pointers: number, bytes: number) => this.#argsGet(pointers, bytes),
      clock_time_get: (_id: number, _precision: bigint, out: number) => {
        this.#view().setBigUint64(out, 0n, true);
        return 0;
      },
      fd_close: () => 0,
      fd_fdstat_get: (fd: number, out: number) => this.#fdStat(fd, out),
      fd_fdstat_set_flags: () => 0,
      fd_prestat_get: (fd: number, out: number) => this.#preopened(fd, out),
      fd_prestat_dir_name: (_fd: number, path: number) => {
        this.#bytes()[path] = '/'.charCodeAt(0);
        return 0;
      },
      fd_read: () => EBADF,
      fd_seek: () => ESPIPE,
      fd_write: (fd: number, vectors: number, count: number, written: number) =>
        this.#write(fd, vectors, count, written),
      path_open: (...args: number[]) => {
        this.#view().setUint32(args[8] ?? 0, OUTPUT_FD, true);
        return 0;
      },
      proc_exit: (status: number) => {
        throw new WasiExit(status);
      },
    };
  }

  attach(memory: WebAssembly.Memory): void {
    this.#memory = memory;
  }

  /** Sets the arguments of the next run and forgets the output of the last one. */
  prepare(args: readonly string[]): void {
    const encoder = new TextEncoder();
    this.#arguments = args.map((arg) => encoder.encode(`${arg.replaceAll('\0', ' ')}\0`));
    this.#file = [];
    this.#printed = '';
  }

  /** What was written to the file, in pieces. */
  get file(): readonly Uint8Array[] {
    return this.#file;
  }

  /** What was printed to standard output and standard error. */
  get printed(): string {
    return this.#printed;
  }

  #bytes(): Uint8Array {
    if (this.#memory === null) throw new TypeError('no memory attached');
    return new Uint8Array(this.#memory.buffer);
  }

  #view(): DataView {
    if (this.#memory === null) throw new TypeError('no memory attached');
    return new DataView(this.#memory.buffer);
  }

  #argsSizes(count: number, size: number): number {
    const view = this.#view();
    view.setUint32(count, this.#arguments.length, true);
    view.setUint32(
      size,
      this.#arguments.reduce((sum, { length }) => sum + length, 0),
      true,
    );
    return 0;
  }

  #argsGet(pointers: number, bytes: number): number {
    const view = this.#view();
    const memory = this.#bytes();
    let pointer = pointers;
    let at = bytes;
    for (const arg of this.#arguments) {
      view.setUint32(pointer, at, true);
      memory.set(arg, at);
      pointer += 4;
      at += arg.length;
    }
    return 0;
  }

  #fdStat(fd: number, out: number): number {
    const view = this.#view();
    for (let i = 0; i < 24; i += 1) view.setUint8(out + i, 0);
    view.setUint8(out, fd === PREOPENED_FD ? FILETYPE_DIRECTORY : FILETYPE_REGULAR);
    view.setBigUint64(out + 8, ALL_RIGHTS, true);
    view.setBigUint64(out + 16, ALL_RIGHTS, true);
    return 0;
  }

  #preopened(fd: number, out: number): number {
    if (fd !== PREOPENED_FD) return EBADF;
    const view = this.#view();
    view.setUint8(out, 0);
    view.setUint32(out + 4, 1, true);
    return 0;
  }

  #write(fd: number, vectors: number, count: number, written: number): number {
    const view = this.#view();
    let total = 0;
    for (let i = 0; i < count; i += 1) {
      const start = view.getUint32(vectors + 8 * i, true);
      const length = view.getUint32(vectors + 8 * i + 4, true);
      const bytes = this.#bytes().slice(start, start + length);
      if (fd === OUTPUT_FD) this.#file.push(bytes);
      else if (this.#printed.length < 2000) this.#printed += new TextDecoder().decode(bytes);
      total += length;
    }
    view.setUint32(written, total, true);
    return 0;
  }
}
