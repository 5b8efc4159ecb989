import type { AgentTemplate } from './agent-template.ts';
import { APPOINTMENT_REMINDER } from './appointment-reminder.ts';
import { DEMO } from './demo.ts';
import { LOST_CARD } from './lost-card.ts';
import { OPENING_HOURS } from './opening-hours.ts';
import { PIZZA_ORDER } from './pizza-order.ts';
import { RECEPTIONIST } from './receptionist.ts';
import { SURVEY } from './survey.ts';

/** What an agent can be made from; the first is the demo agent's. */
export const AGENT_TEMPLATES: readonly AgentTemplate[] = [
  DEMO,
  RECEPTIONIST,
  PIZZA_ORDER,
  APPOINTMENT_REMINDER,
  SURVEY,
  OPENING_HOURS,
  LOST_CARD,
];

/** The template with that id, or null. */
export function findAgentTemplate(id: string): AgentTemplate | null {
  return AGENT_TEMPLATES.find((template) => template.id === id) ?? null;
}
