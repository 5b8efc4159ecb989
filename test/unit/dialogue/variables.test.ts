import assert from 'node:assert/strict';
import { greeting, SPOKEN_STYLE, systemPrompt } from '../../../src/dialogue/prompt.ts';
import {
  callVariables,
  RESERVED_VARIABLES,
  timeVariables,
} from '../../../src/dialogue/variables.ts';

const AGENT = {
  displayName: 'Ann',
  systemPrompt: 'You sell {{product}} to {{caller_number}}.',
  language: 'en-US',
};
const NOW_MS = Date.UTC(2026, 10, 22, 16, 5);

describe("a call's variables", () => {
  it('hold numbers and booleans as text, and nothing of null', () => {
    const { variables, ignored } = callVariables(
      { a: 1, b: true, ' c ': 'x', d: null, e: {} },
      { agentName: 'Ann' },
    );
    assert.deepEqual([variables['a'], variables['b'], variables['c']], ['1', 'true', 'x']);
    assert.equal('d' in variables, false);
    assert.deepEqual(ignored, ['e']);
  });

  it('cannot override what the gateway sets', () => {
    const given = Object.fromEntries(
      [...RESERVED_VARIABLES, 'System_x', 'trunkline.y'].map((name) => [name, 'mine']),
    );
    const { variables, ignored } = callVariables(given, { agentName: 'Ann', callerNumber: '+491' });
    assert.equal(ignored.length, Object.keys(given).length);
    assert.equal(Object.values(variables).includes('mine'), false);
    assert.deepEqual([variables['agent_name'], variables['caller_number']], ['Ann', '+491']);
  });

  it('take even __proto__ for a mere name', () => {
    const given: unknown = JSON.parse('{"__proto__":"x"}');
    const { variables } = callVariables(given as Record<string, unknown>, { agentName: 'Ann' });
    assert.equal(Object.getPrototypeOf(variables), Object.prototype);
  });

  it('are at most two hundred', () => {
    const given = Object.fromEntries(Array.from({ length: 250 }, (_, at) => [`v${at}`, 'x']));
    assert.equal(callVariables(given, { agentName: 'Ann' }).ignored.length, 50);
  });
});

describe('the time', () => {
  const at = (hour: number, minute: number): string =>
    timeVariables({ time_zone: 'UTC' }, Date.UTC(2026, 0, 5, hour, minute))['spoken_time'] ?? '';

  it('is told as people tell it', () => {
    assert.equal(at(16, 5), 'five past four in the afternoon');
    assert.equal(at(9, 0), "nine o'clock in the morning");
    assert.equal(at(12, 0), 'noon');
    assert.equal(at(0, 0), 'midnight');
    assert.equal(at(0, 30), 'half past twelve in the morning');
    assert.equal(at(23, 45), 'a quarter to twelve in the evening');
    assert.equal(at(11, 45), 'a quarter to twelve in the morning');
    assert.equal(at(13, 2), 'one oh two in the afternoon');
    assert.equal(at(18, 37), 'six thirty seven in the evening');
    assert.equal(at(7, 25), 'twenty five past seven in the morning');
  });

  it("is that of the call's zone, or the daemon's when there is no such zone", () => {
    const variables = timeVariables({ time_zone: 'Asia/Tokyo' }, NOW_MS);
    assert.equal(variables['now'], 'Monday, November 23, 2026, 1:05 AM');
    assert.equal(variables['part_of_day'], 'morning');
    assert.ok(timeVariables({ time_zone: 'Mars/Base' }, NOW_MS)['time_zone']);
  });
});

describe('the prompt', () => {
  const variables = { product: 'bread', caller_number: '+4912', time_zone: 'UTC' };

  it('says how to speak, then what the agent is told, with variables put in', () => {
    const prompt = systemPrompt(AGENT, variables, NOW_MS);
    assert.match(prompt, /^You are Ann, talking .* on the telephone/);
    assert.match(prompt, /It is now Sunday, November 22, 2026, 4:05 PM \(UTC\)/);
    assert.match(prompt, /en-US/);
    assert.ok(prompt.endsWith('You sell bread to +4912.'));
    assert.ok(SPOKEN_STYLE.length < 1200);
  });

  it('is the agent’s own alone when the preamble is empty', () => {
    assert.equal(systemPrompt(AGENT, variables, NOW_MS, ''), 'You sell bread to +4912.');
  });

  it('has a greeting that knows its variables too', () => {
    const agent = {
      displayName: 'Ann',
      greetingText: ' Good {{part_of_day}}, {{agent_name}} here. ',
    };
    assert.equal(greeting(agent, { time_zone: 'UTC' }, NOW_MS), 'Good afternoon, Ann here.');
  });
});
