/** Speech to text. `embedded` needs no key and knows the agent's phrasebook only. */
export type SttSettings =
  | { readonly provider: 'embedded' }
  | {
      readonly provider: 'openai';
      /** Up to and including the version, e.g. `https://api.openai.com/v1`. */
      readonly baseUrl: string;
      readonly apiKey: string;
      readonly model: string;
      readonly timeoutMs: number;
    };

/** Language model. `phrasebook` is the embedded brain. */
export type LlmSettings =
  | { readonly provider: 'phrasebook' }
  | {
      readonly provider: 'openai';
      readonly baseUrl: string;
      readonly apiKey: string;
      readonly model: string;
      readonly temperature: number | null;
      readonly maxTokens: number;
      /** Longest wait for the first token, and between two tokens. */
      readonly timeoutMs: number;
    };

/** Text to speech. */
export type TtsSettings =
  | { readonly provider: 'embedded' }
  | {
      readonly provider: 'openai';
      readonly baseUrl: string;
      readonly apiKey: string;
      readonly model: string;
      readonly voice: string;
      readonly timeoutMs: number;
    };
