import type { OpusCodec, OpusEngineChoice } from './opus-codec.ts';
import { nativeOpus } from './opus-native.ts';
import { wasmOpus } from './opus-wasm.ts';

/**
 * Loads libopus once per worker: the addon, or WebAssembly where the addon did not build.
 * `choice` forces one. Null: this worker does not speak Opus.
 */
export async function loadOpus(choice: OpusEngineChoice = 'auto'): Promise<OpusCodec | null> {
  if (choice === 'none') return null;
  const native = choice === 'wasm' ? null : await proven(loadNative);
  if (native !== null || choice === 'native') return native;
  return proven(loadWasm);
}

async function loadNative(): Promise<OpusCodec> {
  const addon = await import('@discordjs/opus');
  return nativeOpus(addon.default.OpusEncoder);
}

async function loadWasm(): Promise<OpusCodec> {
  return wasmOpus(await import('libopus-wasm'));
}

/** A codec counts as loaded when it has encoded and decoded a frame. */
async function proven(load: () => Promise<OpusCodec>): Promise<OpusCodec | null> {
  try {
    const opus = await load();
    const encoder = await opus.createEncoder(16000);
    const decoder = await opus.createDecoder();
    const packet = Buffer.from(encoder.encode(new Int16Array(320), true));
    const samples = decoder.decode(packet, 0, packet.length)?.length;
    encoder.close();
    decoder.close();
    return samples === 320 ? opus : null;
  } catch {
    return null;
  }
}
