import type { AgentSnapshot } from '../model/agent.ts';
import { renderTemplate } from './render-template.ts';
import { timeVariables } from './variables.ts';

/**
 * Put before an agent's own prompt on voice calls, so that a model trained to write speaks.
 * Pass another to `systemPrompt`, or an empty one for none.
 */
export const SPOKEN_STYLE = `You are {{agent_name}}, talking with someone on the telephone. Everything you write is spoken aloud.
Speak as people do: one or two short sentences at a time, then let the caller talk. Ask one question at a time.
No lists, headings, markup, emoji, links or code. Say numbers, dates, prices and addresses the way they are spoken.
What you read is a transcript and may be misheard: if it makes no sense, ask again instead of guessing.
A user message like "[keypad: 12]" means that the caller pressed these keys. Text ending in "…" is where the caller cut you off.
When the conversation is over, say goodbye and call end_call.
It is now {{now}} ({{time_zone}}).`;

/** The system prompt of a call: preamble, then the agent's own words, variables put in. */
export function systemPrompt(
  agent: Pick<AgentSnapshot, 'systemPrompt' | 'displayName' | 'language'>,
  variables: Readonly<Record<string, string>>,
  nowMs: number,
  preamble: string = SPOKEN_STYLE,
): string {
  const known = { agent_name: agent.displayName, ...variables, ...timeVariables(variables, nowMs) };
  const language =
    agent.language === 'auto' || agent.language === ''
      ? ''
      : `Speak the language of the tag "${agent.language}".`;
  return [preamble, preamble === '' ? '' : language, agent.systemPrompt]
    .map((part) => renderTemplate(part, known).trim())
    .filter((part) => part !== '')
    .join('\n\n');
}

/**
 * What the agent says at answer, its announcement first; empty: it waits. Braces in variables are
 * not read again.
 */
export function greeting(
  agent: Pick<AgentSnapshot, 'greetingText' | 'preCallAnnouncement' | 'displayName'>,
  variables: Readonly<Record<string, string>>,
  nowMs: number,
): string {
  const known = { agent_name: agent.displayName, ...variables, ...timeVariables(variables, nowMs) };
  return [agent.preCallAnnouncement ?? '', agent.greetingText]
    .map((text) => renderTemplate(text, known).trim())
    .filter((text) => text !== '')
    .join(' ');
}
