import type { LlmSettings } from '../model/provider.ts';

/** What an agent asks for; null leaves it to the settings. */
export interface LlmWish {
  readonly aiProvider: LlmSettings['provider'] | null;
  readonly aiModel: string | null;
}

/** The agent's language model, of those that the settings allow. */
export function chooseLlm(settings: LlmSettings, wish: LlmWish): LlmSettings {
  if (wish.aiProvider === 'phrasebook') return { provider: 'phrasebook' };
  if (settings.provider === 'phrasebook' || wish.aiModel === null) return settings;
  return { ...settings, model: wish.aiModel };
}

/** What an agent may ask for by name: the phrasebook needs no setting. */
export function providersFor(settings: LlmSettings): readonly LlmSettings['provider'][] {
  return [...new Set<LlmSettings['provider']>(['phrasebook', settings.provider])];
}
