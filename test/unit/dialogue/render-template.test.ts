import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { DialogueError } from '../../../src/dialogue/dialogue-error.ts';
import {
  missingVariables,
  renderTemplate,
  TEMPLATE_LENGTH_MAX,
  templateVariables,
  VARIABLE_LENGTH_MAX,
} from '../../../src/dialogue/render-template.ts';

describe('a template', () => {
  it('gets its variables, with blanks around a name trimmed', () => {
    const variables = { name: 'Ada', 'first name': 'Ada', 'a.b-c_1': 'x' };
    assert.equal(renderTemplate('Hi {{name}}{{ name }}!', variables), 'Hi AdaAda!');
    assert.equal(renderTemplate('{{ first name }}/{{a.b-c_1}}', variables), 'Ada/x');
  });

  it('uses a default only for what has no value; an empty string is a value', () => {
    assert.equal(renderTemplate('{{x|you}} {{y| you }} {{z|}}.', { y: '' }), 'you  .');
    assert.equal(renderTemplate('{{x}}.', {}), '.');
  });

  it('leaves alone what is no reference', () => {
    for (const text of ['{{', '{{}}', '{{ }}', '{x}', '{{a{b}}', '{{-!}}', '}}{{', '{{a\nb}}']) {
      assert.equal(renderTemplate(text, { x: '1' }), text);
    }
  });

  it('never reads values again', () => {
    assert.equal(renderTemplate('{{a}}', { a: '{{b}}$&$1', b: 'secret' }), '{{b}}$&$1');
    assert.equal(renderTemplate('{{a}}{{b}}', { a: '{{', b: 'b}}' }), '{{b}}');
  });

  it('sees no properties that are not variables', () => {
    assert.equal(renderTemplate('{{constructor}}{{__proto__}}{{toString}}', {}), '');
    assert.deepEqual(missingVariables('{{constructor}}', {}), ['constructor']);
  });

  it('cuts long values and refuses to grow without end', () => {
    const long = 'x'.repeat(VARIABLE_LENGTH_MAX + 10);
    assert.equal(renderTemplate('{{x}}', { x: long }).length, VARIABLE_LENGTH_MAX);
    assert.throws(() => renderTemplate('{{x}}'.repeat(1000), { x: long }), DialogueError);
    assert.throws(() => renderTemplate('x'.repeat(TEMPLATE_LENGTH_MAX + 1), {}), DialogueError);
  });

  it('lists the names it uses and the ones it lacks', () => {
    const text = '{{a}} {{b|x}} {{ a }} {{c}}';
    assert.deepEqual(templateVariables(text), ['a', 'b', 'c']);
    assert.deepEqual(missingVariables(text, { a: '' }), ['c']);
  });

  it('keeps any text without braces, and puts any value in unchanged', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        (text, value) => {
          const plain = text.replaceAll('{', '');
          assert.equal(renderTemplate(plain, { x: value }), plain);
          assert.equal(renderTemplate(`${plain}{{x}}`, { x: value }), plain + value);
        },
      ),
    );
  });

  it('is missing nothing once every name it lists has a value', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', 'a', ' ', '|', 'b') }), (text) => {
        const variables = Object.fromEntries(templateVariables(text).map((name) => [name, 'v']));
        assert.deepEqual(missingVariables(text, variables), []);
      }),
    );
  });

  it('reads a hostile template in linear time', () => {
    const text = '{{'.repeat(TEMPLATE_LENGTH_MAX / 2);
    assert.equal(renderTemplate(text, {}), text);
  });
});
