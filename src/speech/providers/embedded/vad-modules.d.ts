/** The wasm packages bring no types. Emscripten: functions with an underscore, and the heap. */
declare module '@echogarden/rnnoise-wasm' {
  interface RnnoiseModule {
    readonly HEAPF32: Float32Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    _rnnoise_create(model: number): number;
    _rnnoise_destroy(state: number): void;
    /** 480 samples at 48 kHz, in the range of 16 bits; returns the probability of a voice. */
    _rnnoise_process_frame(state: number, out: number, samples: number): number;
  }
  export default function createRnnoise(): Promise<RnnoiseModule>;
}

declare module '@echogarden/fvad-wasm' {
  interface FvadModule {
    readonly HEAP16: Int16Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    _fvad_new(): number;
    _fvad_free(state: number): void;
    _fvad_set_mode(state: number, mode: number): number;
    _fvad_set_sample_rate(state: number, rateHz: number): number;
    /** 1: a voice, 0: none, -1: a bad length. */
    _fvad_process(state: number, samples: number, count: number): number;
  }
  export default function createFvad(): Promise<FvadModule>;
}
