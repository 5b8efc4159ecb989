import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import soundswallower from 'soundswallower';
import { phrasebookGrammar } from '../../../src/dialogue/brain.ts';
import { AGENT_TEMPLATES } from '../../../src/dialogue/templates/agent-templates.ts';

const MODEL = fileURLToPath(
  new URL('../../../node_modules/soundswallower/model/en-us', import.meta.url),
);

describe("the embedded recogniser's decoder", () => {
  it('accepts the grammar of every template, and refuses a word it does not know', async () => {
    const engine = await soundswallower();
    const decoder = new engine.Decoder({
      hmm: MODEL,
      samprate: 8000,
      upperf: 3800,
      nfft: 256,
      loglevel: 'FATAL',
    });
    try {
      await decoder.initialize();
      for (const { phrasebook } of AGENT_TEMPLATES) {
        decoder.set_grammar(phrasebookGrammar(phrasebook).jsgf);
      }
      const unknown = {
        entries: [{ id: 'a', says: ['say zzyzzx'], replies: ['No.'] }],
        fallbacks: [],
      };
      assert.throws(() => decoder.set_grammar(phrasebookGrammar(unknown).jsgf));
      decoder.set_grammar(phrasebookGrammar(unknown, (word) => word !== 'zzyzzx').jsgf);
    } finally {
      decoder.delete();
    }
  });
});
