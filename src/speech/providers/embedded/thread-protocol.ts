import type { SpokenGrammar } from './grammar.ts';

/** Voice worker → recognizer thread. */
export type ToRecognizer =
  | {
      readonly type: 'prepare';
      readonly id: number;
      readonly key: string;
      readonly grammar: SpokenGrammar;
    }
  | { readonly type: 'forget'; readonly key: string }
  /** There should be so many decoders; makes at most one. Not answered. */
  | { readonly type: 'reserve'; readonly decoders: number }
  /** Answered once everything before it was done. */
  | { readonly type: 'sync'; readonly id: number }
  | { readonly type: 'begin'; readonly id: number; readonly key: string }
  /** 8 kHz, transferred. */
  | { readonly type: 'write'; readonly id: number; readonly samples: Int16Array }
  /** Answered by an interim, even one without news. */
  | { readonly type: 'peek'; readonly id: number }
  | { readonly type: 'finish'; readonly id: number }
  | { readonly type: 'drop'; readonly id: number };

export type FromRecognizer =
  | { readonly type: 'prepared' | 'synced'; readonly id: number }
  | {
      readonly type: 'interim';
      readonly id: number;
      readonly text: string;
      readonly audioMs: number;
      readonly isPeek: boolean;
    }
  | { readonly type: 'final'; readonly id: number; readonly text: string; readonly audioMs: number }
  | { readonly type: 'failed'; readonly id: number; readonly message: string };

/** Voice worker → synthesizer thread. */
export type ToSynthesizer =
  | { readonly type: 'speak'; readonly id: number; readonly text: string; readonly voice: string }
  | { readonly type: 'cancel'; readonly id: number };

export type FromSynthesizer =
  | {
      readonly type: 'spoken';
      readonly id: number;
      /** Transferred. Empty when it was canceled in time. */
      readonly samples: Int16Array<ArrayBuffer>;
      readonly sampleRateHz: number;
    }
  | { readonly type: 'failed'; readonly id: number; readonly message: string };
