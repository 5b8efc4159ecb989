/**
 * Whole minor units (cents) of an amount, rounded half up. Sums are rounded once, as a whole:
 * the parts of a bill may differ from its total by a cent, and never add up to another amount.
 */
export function minorUnits(micros: number, currency: string): number {
  const step = 10n ** BigInt(6 - fractionDigits(currency));
  return Number((2n * BigInt(micros) + step) / (2n * step));
}

/** 2 of most, 0 of JPY, 3 of KWD. */
function fractionDigits(currency: string): number {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency });
  return format.resolvedOptions().maximumFractionDigits ?? 2;
}
