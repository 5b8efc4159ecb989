import type { Caps } from '../model/billing.ts';

export const NO_CAPS: Caps = {
  minutesPerDay: null,
  minutesPerMonth: null,
  callsPerDay: null,
  callsPerMonth: null,
  microsPerDay: null,
  microsPerMonth: null,
  callsAtOnce: null,
  callSecondsMax: null,
  destinations: null,
};

/** What holds for a workspace in the end. */
export interface EffectiveCaps extends Omit<Caps, 'destinations'> {
  /** A number must be allowed by each. */
  readonly destinationLists: readonly (readonly string[])[];
}

/**
 * The operator's word replaces the default of the workspace's type, field by field: what a demo
 * workspace is held to may be changed and not taken away. The owner may only ask for less.
 */
export function effectiveCaps(
  byType: Caps,
  operator: Caps | null,
  owner: Caps | null,
): EffectiveCaps {
  const set = operator ?? NO_CAPS;
  const own = owner ?? NO_CAPS;
  const least = (name: Exclude<keyof Caps, 'destinations'>) => {
    const values = [set[name] ?? byType[name], own[name]].filter((value) => value !== null);
    return values.length === 0 ? null : Math.min(...values);
  };
  const lists = [set.destinations ?? byType.destinations, own.destinations];
  return {
    minutesPerDay: least('minutesPerDay'),
    minutesPerMonth: least('minutesPerMonth'),
    callsPerDay: least('callsPerDay'),
    callsPerMonth: least('callsPerMonth'),
    microsPerDay: least('microsPerDay'),
    microsPerMonth: least('microsPerMonth'),
    callsAtOnce: least('callsAtOnce'),
    callSecondsMax: least('callSecondsMax'),
    destinationLists: lists.filter((list) => list !== null),
  };
}

/** Whether any of them needs calls to be counted before they begin. */
export function countsCalls(caps: EffectiveCaps): boolean {
  const { destinationLists: _, callSecondsMax: __, ...counted } = caps;
  return Object.values(counted).some((cap) => cap !== null);
}

export function allowsNumber({ destinationLists }: EffectiveCaps, number: string): boolean {
  return destinationLists.every((list) =>
    list.some((prefix) => prefix === '+' || number.startsWith(prefix)),
  );
}
