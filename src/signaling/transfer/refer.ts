/** Whom a REFER asks to call (RFC 3515 §2.1). */
export interface ReferTo {
  readonly user: string;
  readonly host: string;
  /** Value of the Replaces header that the INVITE shall carry; null: a call like any other. */
  readonly replaces: string | null;
}

/** The far side asks us to call somebody in its place. Exactly one verdict takes effect. */
export interface InboundRefer {
  readonly to: ReferTo;
  /** Referred-By as it came (RFC 3892); null: it came without. */
  readonly referredBy: string | null;
  /** 202; the first report (100) goes out with it. */
  accept(): ReferReports;
  refuse(status: 403 | 486 | 603): void;
}

/** NOTIFYs to whoever referred us. */
export interface ReferReports {
  /** Everything from 200 on is the last. */
  report(sipStatus: number): void;
}

/** What we ask a far side to do: call somebody, in place of this call. */
export interface ReferRequest {
  /** Value of Refer-To: `<sip:+34911222333@carrier.example>`. */
  readonly referTo: string;
  /** Value of Referred-By (RFC 3892). */
  readonly referredBy: string;
  /** 202 when it takes the REFER, then each provisional status of the call that it makes. */
  readonly onProgress: (sipStatus: number) => void;
}

/** What a far side made of our REFER. */
export type ReferResult =
  /** It will not, or cannot: nobody was called. Null: it did not even answer. */
  | { readonly type: 'refused'; readonly sipStatus: number | null }
  /** It has whom it was referred to, or left for it without saying more. */
  | { readonly type: 'transferred'; readonly sipStatus: number | null }
  /** It tried, and whom it called did not take the call. Null: it never said. */
  | { readonly type: 'failed'; readonly sipStatus: number | null };
