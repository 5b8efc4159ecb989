import { isVariableName } from './render-template.ts';

/** Most variables of one call. */
export const VARIABLES_MAX = 200;

/**
 * Variables that the gateway sets itself; a caller's value of the same name is ignored.
 *
 * | Name | Value |
 * |---|---|
 * | `agent_name` | the agent's display name |
 * | `caller_number`, `called_number` | as the trunk gave them; empty when withheld or in a browser |
 * | `call_direction` | `inbound` or `outbound` |
 * | `time_zone` | IANA name, the zone of the values below |
 * | `now` | `Sunday, November 22, 2026, 4:05 PM` |
 * | `date`, `time`, `weekday` | `November 22, 2026`, `4:05 PM`, `Sunday` |
 * | `spoken_time` | `five past four in the afternoon` |
 * | `part_of_day` | `morning`, `afternoon` or `evening` |
 * | `topics` | in a phrasebook: what the caller may ask for |
 */
export const RESERVED_VARIABLES = [
  'agent_name',
  'caller_number',
  'called_number',
  'call_direction',
  'time_zone',
  'now',
  'date',
  'time',
  'weekday',
  'spoken_time',
  'part_of_day',
  'topics',
] as const;

const RESERVED: ReadonlySet<string> = new Set(RESERVED_VARIABLES);

export interface CallFacts {
  readonly agentName: string;
  readonly callerNumber?: string;
  readonly calledNumber?: string;
  readonly direction?: 'inbound' | 'outbound';
  /** IANA name. Default: the daemon's own zone. */
  readonly timeZone?: string;
}

/** What a call's variables came to. */
export interface CallVariables {
  readonly variables: Readonly<Record<string, string>>;
  /** Names that were given but reserved, malformed or too many. */
  readonly ignored: readonly string[];
}

/** Whether the name is the gateway's own: its list, and any `system…`, `voiceb…`, `trunkline…`. */
export function isReservedVariable(name: string): boolean {
  return RESERVED.has(name) || /^(?:system|voiceb|trunkline)/i.test(name);
}

/**
 * Joins what the call's maker gave with what the gateway knows. Numbers and booleans become
 * text; null is as good as not given; other values are ignored.
 */
export function callVariables(
  given: Readonly<Record<string, unknown>>,
  facts: CallFacts,
): CallVariables {
  const variables: Record<string, string> = {};
  const ignored: string[] = [];
  for (const [rawName, value] of Object.entries(given)) {
    const name = rawName.trim();
    const text = textOf(value);
    if (value === null || value === undefined) continue;
    const isFull = Object.keys(variables).length >= VARIABLES_MAX;
    if (text === null || isFull || !isVariableName(name) || isReservedVariable(name)) {
      ignored.push(rawName);
    } else {
      setOwn(variables, name, text);
    }
  }
  setOwn(variables, 'agent_name', facts.agentName);
  setOwn(variables, 'caller_number', facts.callerNumber ?? '');
  setOwn(variables, 'called_number', facts.calledNumber ?? '');
  setOwn(variables, 'call_direction', facts.direction ?? 'inbound');
  if (facts.timeZone !== undefined) setOwn(variables, 'time_zone', facts.timeZone);
  return { variables, ignored };
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

/** Even `__proto__` is a mere name here. */
function setOwn(variables: Record<string, string>, name: string, value: string): void {
  Object.defineProperty(variables, name, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

/** The variables of the present moment, in the call's `time_zone`. */
export function timeVariables(
  variables: Readonly<Record<string, string>>,
  nowMs: number,
): Record<string, string> {
  const timeZone = validZone(variables['time_zone']);
  const formats = formatsOf(timeZone);
  const text = (format: Intl.DateTimeFormat): string =>
    format.format(nowMs).replace(/\u202f/g, ' ');
  const date = text(formats.date);
  const weekday = text(formats.weekday);
  const time = text(formats.time);
  const clock = text(formats.clock);
  const [hour = 0, minute = 0] = clock.split(':').map(Number);
  return {
    time_zone: timeZone,
    now: `${weekday}, ${date}, ${time}`,
    date,
    time,
    weekday,
    spoken_time: spokenTime(hour, minute),
    part_of_day: partOfDay(hour),
  };
}

/** A formatter costs half a millisecond to make; a call asks several times. */
interface ZoneFormats {
  readonly date: Intl.DateTimeFormat;
  readonly weekday: Intl.DateTimeFormat;
  readonly time: Intl.DateTimeFormat;
  readonly clock: Intl.DateTimeFormat;
}

/** There are about 600 zones; whoever sets one per call cannot fill more than this. */
const ZONES_MAX = 64;
const formatsByZone = new Map<string, ZoneFormats>();
const zonesByName = new Map<string, string>();

function formatsOf(timeZone: string): ZoneFormats {
  const known = formatsByZone.get(timeZone);
  if (known !== undefined) return known;
  const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat('en-US', { ...options, timeZone });
  const made: ZoneFormats = {
    date: format({ year: 'numeric', month: 'long', day: 'numeric' }),
    weekday: format({ weekday: 'long' }),
    time: format({ hour: 'numeric', minute: '2-digit', hour12: true }),
    clock: format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
  };
  keep(formatsByZone, timeZone, made);
  return made;
}

/** The zone of that name in its canonical form; the machine's own when there is none. */
function validZone(name = ''): string {
  const known = zonesByName.get(name);
  if (known !== undefined) return known;
  const zone = name === '' ? ownZone() : (canonicalZone(name) ?? ownZone());
  keep(zonesByName, name, zone);
  return zone;
}

function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function canonicalZone(name: string): string | null {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

/** The oldest entry makes room. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  const [oldest] = map.keys();
  if (map.size >= ZONES_MAX && oldest !== undefined) map.delete(oldest);
  map.set(key, value);
}

function partOfDay(hour: number): 'morning' | 'afternoon' | 'evening' {
  if (hour < 12) return 'morning';
  return hour < 18 ? 'afternoon' : 'evening';
}

const HOURS = [
  'twelve',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
];
const TENS = ['', '', 'twenty', 'thirty', 'forty', 'fifty'];
const UNITS = [
  '',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
  'twelve',
  'thirteen',
  'fourteen',
  'fifteen',
  'sixteen',
  'seventeen',
  'eighteen',
  'nineteen',
];

/** `five past four in the afternoon`, `four oh two` in words that any voice reads well. */
function spokenTime(hour: number, minute: number): string {
  const next = HOURS[(hour + 1) % 12] ?? '';
  const name = HOURS[hour % 12] ?? '';
  if (minute === 0 && hour === 0) return 'midnight';
  if (minute === 0 && hour === 12) return 'noon';
  const ending = hour < 12 ? 'in the morning' : hour < 18 ? 'in the afternoon' : 'in the evening';
  if (minute === 0) return `${name} o'clock ${ending}`;
  if (minute === 15) return `a quarter past ${name} ${ending}`;
  if (minute === 30) return `half past ${name} ${ending}`;
  if (minute === 45) return `a quarter to ${next} ${ending}`;
  if (minute % 5 === 0 && minute < 30)
    return `${UNITS[minute] || 'twenty five'} past ${name} ${ending}`;
  const tens = minute < 20 ? '' : (TENS[Math.floor(minute / 10)] ?? '');
  const unit = UNITS[minute < 20 ? minute : minute % 10] ?? '';
  const minutes = minute < 10 ? `oh ${unit}` : [tens, unit].filter(Boolean).join(' ');
  return `${name} ${minutes} ${ending}`;
}
