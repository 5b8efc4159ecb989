import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SETTINGS } from '../../../src/config/settings.ts';
import { TrunkSchema } from '../../../src/config/trunk-schema.ts';

const SRC = new URL('../../../src', import.meta.url).pathname;

/** All of src but what defines and loads settings; imports and comments taken out. */
const code = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !/^config(\.ts$|\/)/.test(file))
  .map((file) => readFileSync(join(SRC, file), 'utf8'))
  .join('\n')
  .replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|^import .*$/gm, '');

/** What `config.ts` makes of a setting whose name in the code is another. */
const KNOWN_AS: Readonly<Record<string, string>> = { database_url: 'databaseFile' };

function isRead(key: string): boolean {
  const name =
    KNOWN_AS[key] ?? key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  // `limits.callsMax`, or `callsMax` taken apart, handed on or asked for.
  return new RegExp(`\\.${name}\\b|[{,(]\\s*${name}\\s*[,}=):]|^\\s*${name},$`, 'm').test(code);
}

describe('every setting', () => {
  for (const { name, key } of SETTINGS) {
    it(`${name} is read by something`, () => assert.ok(isRead(key), `nothing reads ${name}`));
  }
});

describe('every setting of a trunk', () => {
  const judged = readFileSync(join(SRC, 'config/trunk-settings.ts'), 'utf8');
  const trunk = readFileSync(join(SRC, 'signaling/trunk/trunk.ts'), 'utf8');

  for (const key of Object.keys(TrunkSchema.properties)) {
    it(`${key} becomes a part of the trunk`, () => {
      assert.match(judged, new RegExp(`raw\\.${key}\\b|[{,] ${key}\\b(?=.*RawTrunk)`));
    });
  }

  const parts = trunk.slice(trunk.indexOf('interface Trunk ')).matchAll(/readonly (\w+):/g);
  for (const name of new Set([...parts].map(([, name = '']) => name))) {
    it(`what they become, ${name}, is read by something`, () => {
      assert.ok(isRead(name), `nothing reads ${name}`);
    });
  }
});

describe('a setting that nothing reads', () => {
  it('would be found', () => assert.equal(isRead('no_such_setting_ms'), false));
});
