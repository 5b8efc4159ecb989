import type { SrfRequest, SrfResponse } from '../drachtio.ts';
import { respond } from '../plain-requests.ts';
import { isHeaderSafe } from '../sip-headers.ts';
import { parseReferTo } from './refer-to.ts';
import type { InboundRefer, ReferReports } from './refer.ts';
import { sipfrag } from './sipfrag.ts';

const REFERRED_BY_CHARACTERS_MAX = 512;
/** What the far side is told its subscription lasts. */
const SUBSCRIPTION_SECONDS = 180;

/** Sends a NOTIFY in the dialog of the REFER. */
export type SendNotify = (headers: Record<string, string>, body: string) => void;

/**
 * Reads a REFER; one that cannot be followed is answered here, and null given.
 * @param event what its NOTIFYs are about
 */
export function readRefer(
  req: SrfRequest,
  res: SrfResponse,
  event: string,
  sendNotify: SendNotify,
): InboundRefer | null {
  const header = req.get('refer-to');
  // RFC 3515 §2.4.2: one Refer-To, no more.
  if (header === undefined || /,\s*<?\s*(sips?|tel):/i.test(header)) {
    respond(res, 400);
    return null;
  }
  const to = parseReferTo(header);
  if (to === null) {
    respond(res, 603);
    return null;
  }
  const referredBy = req.get('referred-by') ?? null;
  const isUsable =
    referredBy !== null &&
    referredBy.length <= REFERRED_BY_CHARACTERS_MAX &&
    isHeaderSafe(referredBy);
  let isOpen = true;
  return {
    to,
    referredBy: isUsable ? referredBy : null,
    accept: () => {
      if (!isOpen) return { report: () => {} };
      isOpen = false;
      respond(res, 202);
      const reports = new Reports(event, sendNotify);
      reports.report(100);
      return reports;
    },
    refuse: (status) => {
      if (isOpen) respond(res, status);
      isOpen = false;
    },
  };
}

class Reports implements ReferReports {
  readonly #event: string;
  readonly #sendNotify: SendNotify;
  #last = 0;

  constructor(event: string, sendNotify: SendNotify) {
    this.#event = event;
    this.#sendNotify = sendNotify;
  }

  report(sipStatus: number): void {
    if (this.#last >= 200 || sipStatus === this.#last) return;
    this.#last = sipStatus;
    const isLast = sipStatus >= 200;
    this.#sendNotify(
      {
        Event: this.#event,
        'Subscription-State': isLast
          ? 'terminated;reason=noresource'
          : `active;expires=${SUBSCRIPTION_SECONDS}`,
        'Content-Type': 'message/sipfrag;version=2.0',
      },
      sipfrag(sipStatus),
    );
  }
}
