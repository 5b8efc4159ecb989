/** What the doctor looks at, in this order. */
export const CHECKS = [
  'dns',
  'reach',
  'certificate',
  'options',
  'registration',
  'address',
  'media-address',
  'codecs',
  'rtp',
  'dtmf',
] as const;

export type CheckName = (typeof CHECKS)[number];
export type Verdict = 'ok' | 'warn' | 'fail' | 'skipped';
export type Fact = string | number | boolean | null | readonly string[];

/** What one check found. */
export interface Finding {
  readonly check: CheckName;
  readonly verdict: Verdict;
  /** One plain sentence. */
  readonly summary: string;
  readonly facts: Readonly<Record<string, Fact>>;
  /** What to do about it; null: nothing. */
  readonly fix: string | null;
}

/** All that was found of a trunk. */
export interface Diagnosis {
  readonly trunk: string;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
}

type Facts = Finding['facts'];

/** Findings of one check, by their verdicts. */
export function findingsOf(check: CheckName) {
  const found =
    (verdict: Verdict) =>
    (summary: string, facts: Facts, fix: string | null): Finding => ({
      check,
      verdict,
      summary,
      facts,
      fix,
    });
  const [ok, warn, fail, skipped] = [found('ok'), found('warn'), found('fail'), found('skipped')];
  return {
    ok: (summary: string, facts: Facts = {}) => ok(summary, facts, null),
    warn: (summary: string, fix: string, facts: Facts = {}) => warn(summary, facts, fix),
    fail: (summary: string, fix: string, facts: Facts = {}) => fail(summary, facts, fix),
    skipped: (summary: string, facts: Facts = {}) => skipped(summary, facts, null),
  };
}

const WORST: readonly Verdict[] = ['fail', 'warn', 'ok', 'skipped'];

export const worstOf = (findings: readonly Finding[]): Verdict =>
  WORST.find((verdict) => findings.some((finding) => finding.verdict === verdict)) ?? 'skipped';
