/** @typedef {import('./words.js').FailureKind} FailureKind */

/** A failure that the page has words for. */
export class CallFailure extends Error {
  /**
   * @param {FailureKind} kind
   * @param {number | null} [retryAfterSeconds]
   */
  constructor(kind, retryAfterSeconds = null) {
    super(kind);
    this.kind = kind;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/**
 * Asks for the microphone.
 *
 * @returns {Promise<MediaStream>} rejects with `CallFailure`
 */
export async function openMicrophone() {
  if (!window.isSecureContext) throw new CallFailure('insecure');
  if (!navigator.mediaDevices?.getUserMedia || !window.RTCPeerConnection) {
    throw new CallFailure('unsupported');
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw new CallFailure(kindOf(error));
  }
}

/**
 * @param {unknown} error
 * @returns {FailureKind}
 */
function kindOf(error) {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'microphone-missing';
  if (name === 'NotReadableError' || name === 'AbortError') return 'microphone-taken';
  return 'microphone-refused';
}

/** @param {MediaStream | null} stream */
export function stopStream(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Loudness of a stream, for meters. */
export class LevelMeter {
  #context = new AudioContext();
  #analyser;
  #samples;

  /** @param {MediaStream} stream */
  constructor(stream) {
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 512;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    void this.#context.resume();
  }

  /** @returns {number} 0 (silence, -60 dB) to 1 (loud, -10 dB) */
  read() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let energy = 0;
    for (const sample of this.#samples) energy += sample * sample;
    const decibels = 10 * Math.log10(energy / this.#samples.length + 1e-9);
    return Math.min(1, Math.max(0, (decibels + 60) / 50));
  }

  close() {
    void this.#context.close();
  }
}
