/** Programs that try doors, as they name themselves. Tools that operators use are not among them. */
const SCANNERS =
  /friendly-scanner|friendly-request|sipvicious|sip-?scan|sipcli|sundayddr|vaxsipuseragent|vaxasip|pplsip|siparmyknife|sivus|smap\b|\biwar\b|gulp\b|sipptk|viproy|\bzgrab|masscan/i;

export const isScannerName = (userAgent: string): boolean => SCANNERS.test(userAgent);
