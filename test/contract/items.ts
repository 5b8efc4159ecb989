/**
 * What callers and their programs may count on, item by item. The numbers are those that other
 * tests name as `SEED-n`. Each says in which files it is shown and by which words of a test
 * there, or why it is not.
 */
export interface Item {
  readonly number: number;
  readonly says: string;
  /** `file: words of the test` below `test/`; of `DOCUMENTS` the number itself is the title. */
  readonly shown: readonly string[];
  /** Why nothing shows it. */
  readonly why?: string;
}

const DOCUMENTS = 'contract/documents.test.ts';
const TRY_PAGE = 'browser/try-page.test.ts';
const WEB_CALL = 'browser/web-call.test.ts';
const PUBLIC_CALLS = 'integration/call/public-calls.test.ts';
const AGENTS = 'unit/http/agents.test.ts';
const WEB_TOKENS = 'unit/http/public-web-call.test.ts';
const INSTANT = 'unit/http/instant-voice-links.test.ts';
const LINK_PAGE = 'browser/link-page.test.ts';
const CTC = 'integration/access/click-to-call.test.ts';
const CTC_RULES = 'unit/access/click-to-call.test.ts';
const FAMILIES = 'unit/http/error-families.test.ts';
const CHAT_PAGE = 'browser/chat-page.test.ts';
const CHAT = 'unit/chat/chat-service.test.ts';
const CHAT_HTTP = 'unit/http/public-chat.test.ts';
const MEMORY = 'unit/chat/memory.test.ts';
const PUBLIC_LINKS = 'unit/http/public-links.test.ts';
const ADMISSION = 'unit/access/public-admission.test.ts';

type Row = readonly [number: number, says: string, shown: readonly string[] | { why: string }];

const doc = [DOCUMENTS];
const at = (file: string, ...titles: readonly string[]) =>
  titles.map((title) => `${file}: ${title}`);

const SHAREABLE: readonly Row[] = [
  [1, 'an agent can be made reachable by a public address', [...doc, ...at(AGENTS, 'SEED-1,')]],
  [2, 'who calls needs no phone', at(TRY_PAGE, 'carries sound both ways')],
  [3, 'who calls needs no account', doc],
  [4, 'PATCH …/shareable with true turns it on', doc],
  [5, 'the key stands behind Bearer', doc],
  [6, 'the body is JSON', doc],
  [7, 'no key is 401; a foreign agent is not there', doc],
  [8, 'what is no boolean is refused, and nothing changes', doc],
  [9, 'an agent is not shareable at first', doc],
  [10, 'the address is {base}/try/{agent_id}', doc],
  [11, 'turning it on twice changes nothing', doc],
  [
    12,
    'any modern browser with a microphone will do',
    at(WEB_CALL, 'is greeted, understood and answered'),
  ],
  [13, 'the same with false turns it off', doc],
  [
    14,
    'calls in progress go on then',
    at(PUBLIC_CALLS, 'go on when the link is turned off, and no other begins'),
  ],
  [
    15,
    'and none begins',
    at(PUBLIC_CALLS, 'go on when the link is turned off, and no other begins'),
  ],
  [16, 'the limits of links and of keys are not the same', doc],
  [
    17,
    'ten calls of an agent at once',
    [...at(ADMISSION, 'SEED-17'), ...at(PUBLIC_CALLS, 'are ten at once')],
  ],
  [18, 'fifty calls of an agent a day', at(ADMISSION, 'SEED-18')],
  [19, 'beyond that 503', at(PUBLIC_CALLS, 'are ten at once')],
  [20, 'with the code AGENT_BUSY', at(PUBLIC_CALLS, 'AGENT_BUSY')],
  [
    21,
    'nobody races past a limit',
    at(ADMISSION, 'to 500 that ask together', 'two processes that ask 250 times each'),
  ],
  [22, 'the address opens a page', doc],
  [
    23,
    'the page asks for the microphone, and helps when it is refused',
    at(TRY_PAGE, 'the microphone is refused', 'there is no microphone'),
  ],
  [24, 'the browser makes an offer', at(WEB_CALL, 'is greeted, understood and answered')],
  [25, 'the offer is posted without any key', doc],
  [26, 'sdp in, sdp and type and call_id out', at(PUBLIC_CALLS, 'need an offer that can be used')],
  [27, 'the agent must exist and be shareable', doc],
  [28, 'an answer comes back', at(PUBLIC_CALLS, 'are ten at once')],
  [29, 'the two are connected', at(WEB_CALL, 'is greeted, understood and answered')],
  [
    30,
    'what is said takes the way of a phone call',
    at(WEB_CALL, 'is greeted, understood and answered'),
  ],
  [31, 'PATCH takes greeting_text', doc],
  [32, 'the greeting is spoken on connect', at(WEB_CALL, 'is greeted, understood and answered')],
  [33, 'templates bring greetings and prompts', doc],
  [
    34,
    'an owner can call before sharing',
    at('integration/call/web-call-tokens.test.ts', 'SEED-34'),
  ],
  [35, 'the public door needs no authority', doc],
  [36, 'an agent that is not shareable is 404', doc],
  [37, 'an unknown one is the same 404', doc],
  [
    38,
    'an address that asks too often is refused',
    at(PUBLIC_CALLS, 'are refused to an address that asks too often'),
  ],
  [39, 'nothing of the owner is shown', [...doc, ...at(LINK_PAGE, 'SEED-39')]],
  [40, 'there are demo workspaces', at('unit/http/keys.test.ts', 'SEED-40')],
  [
    41,
    'their calls are real',
    at(
      'integration/call/conversation.test.ts',
      'greets, and stores the very words that were heard',
    ),
  ],
  [42, 'and cost nothing', at('unit/billing/rate-call.test.ts', 'SEED-42')],
  [43, 'for landing pages to show', at(TRY_PAGE, 'opens from a button in a page of somebody else')],
  [44, 'errors have error_code, message, request_id, documentation_url', doc],
  [
    45,
    'the agent can be interrupted in a browser too',
    at(WEB_CALL, 'interrupts the agent, and sees what was heard of it'),
  ],
];

const WEB_CALLS: readonly Row[] = [
  [46, 'GET /v1/calls/public/create-web-call', doc],
  [47, 'its tag, summary and operation id', doc],
  [48, 'it takes no authority but a shared key', doc],
  [49, 'ai_agent_id is needed', doc],
  [50, 'shared_key is needed', doc],
  [51, 'success is 201', doc],
  [52, 'access_token is all of the body', doc],
  [53, 'a wrong key is 401', doc],
  [54, 'with error and message', doc],
  [55, 'what is missing is 422 with detail', doc],
  [56, 'each field named by loc', doc],
  [57, 'empty values are no 500', doc],
  [58, 'the shapes have their titles', at(WEB_TOKENS, 'SEED-58')],
  [59, 'the description is OpenAPI 3.1', doc],
  [60, 'the token opens one call', at('integration/call/web-call-tokens.test.ts', 'SEED-60')],
  [61, 'owners make, rotate and revoke shared keys', at(WEB_TOKENS, 'SEED-61')],
  [62, 'for users without accounts', at(WEB_TOKENS, 'SEED-62')],
];

const INSTANT_LINKS: readonly Row[] = [
  [63, 'a link carries its own prompt', doc],
  [64, "a list of one's own links alone", doc],
  [65, 'for that a key needs voice_links:read', at(INSTANT, 'SEED-65')],
  [66, 'success and links', doc],
  [67, 'each link has its twelve fields', doc],
  [68, 'and may have more', doc],
  [69, 'a failure is error', at(INSTANT, 'SEED-69')],
  [70, 'many links at once', doc],
  [71, 'for that a key needs voice_links:write', at(INSTANT, 'SEED-71')],
  [72, 'a link for each label, in order', doc],
  [73, 'three expiries', at(INSTANT, 'SEED-73')],
  [74, 'a prompt is needed', doc],
  [75, 'title is empty when left out', doc],
  [76, 'info is empty when left out', doc],
  [77, 'five minutes when left out, clamped to 1..60', doc],
  [78, '200 with the links and their times', doc],
  [79, 'Labels array is required', doc],
  [80, 'Invalid expiry preset', doc],
  [81, 'Prompt is required', doc],
  [82, 'All labels must be non-empty strings; nothing is made', doc],
  [83, 'a failure while making is error', at(INSTANT, 'SEED-83')],
  [84, 'PATCH edits, with voice_links:write', doc],
  [85, 'any of six fields', at(INSTANT, 'SEED-85')],
  [86, 'minutes are clamped then too', doc],
  [87, 'success is all of the answer', doc],
  [88, 'Only active links can be edited', at(INSTANT, 'SEED-88')],
  [89, 'Label must be a non-empty string', doc],
  [90, 'Invalid expiry preset, when edited', doc],
  [91, 'Prompt must be a non-empty string', doc],
  [92, 'landingPageTitle must be a string', doc],
  [93, 'landingPageInfo must be a string', doc],
  [94, 'timeLimitMinutes must be a positive number', doc],
  [95, 'Link not found, also for those of others', doc],
  [96, 'a failure while editing is error', at(INSTANT, 'SEED-96')],
  [97, 'a page with title, info and a button', at(LINK_PAGE, 'SEED-97')],
  [98, 'an expired link says so, and no call begins', at(LINK_PAGE, 'SEED-98')],
  [99, 'the call ends at its time limit', at(INSTANT, 'SEED-99')],
  [100, 'no key is 401, no scope 403 naming it', at(INSTANT, 'SEED-100')],
  [
    101,
    'links can be for one use',
    at(INSTANT, 'are used up by calls that connected, when a number is set'),
  ],
];

const CLICK_TO_CALL: readonly Row[] = [
  [
    102,
    'a backend has an agent call somebody',
    at(CTC, 'starts a call to its number with its variables'),
  ],
  [103, 'each agent is set up for itself', at(CTC, 'SEED-104')],
  [104, 'an agent has the type click to call', at(CTC, 'SEED-104')],
  [105, 'only then are there credentials', at(CTC, 'SEED-104')],
  [106, 'token, secret and instructions are shown', at(CTC, 'SEED-104')],
  [107, 'each agent has its own', at(CTC, 'SEED-104')],
  [108, 'POST /api/click-to-call', doc],
  [109, 'phone and, if any, variables', at(CTC, 'starts a call to its number with its variables')],
  [110, 'the header api-key', doc],
  [111, 'the header signature: HMAC-SHA256 in hex', at(CTC_RULES, 'SEED-111')],
  [112, 'over the very bytes: both samples run as they stand', at(CTC, 'SEED-112')],
  [
    113,
    'no other origin may ask, so that secrets stay in backends',
    at(CTC, 'allows no other origin'),
  ],
  [114, 'verification can be switched off', at(CTC, 'SEED-114')],
  [115, 'any number of variables', at(CTC_RULES, 'SEED-115')],
  [116, 'the script names them in braces', at(CTC_RULES, 'SEED-116')],
  [117, 'reserved names are avoided', at(CTC, 'SEED-117')],
  [118, 'what the script names must be given', at(CTC_RULES, 'SEED-118')],
  [119, 'empty is allowed, undefined is not', at(CTC_RULES, 'SEED-119')],
  [120, 'ctc:001', [...doc, ...at(FAMILIES, 'ctc:001')]],
  [121, 'ctc:002', at(FAMILIES, 'ctc:002')],
  [122, 'ctc:003', [...doc, ...at(FAMILIES, 'ctc:003')]],
  [123, 'ctc:004', at(CTC, 'SEED-120')],
  [124, 'ctc:005', at(CTC, 'SEED-120', 'is not configured without a script')],
  [125, 'ctc:006', at(CTC, 'SEED-120')],
  [126, 'ctc:007', at(CTC, 'refuses a number that is being called')],
  [127, 'ctc:008', at(CTC, 'by 008 and a reason')],
  [128, 'success and failure are JSON', at(CTC, 'answers a call on its way with success')],
  [
    129,
    'compared in constant time; the secret is sealed',
    [...at(CTC_RULES, 'SEED-129'), ...at(CTC, 'keeps secrets sealed')],
  ],
];

const CONSOLE = 'a part of the console, which is a page of its own; its API is shown by';

const PUBLIC_CHAT: readonly Row[] = [
  [130, 'an address where anyone chats', doc],
  [131, 'e-mail verification is optional', at(PUBLIC_LINKS, 'SEED-131')],
  [132, 'if on, nothing is said before it', doc],
  [133, 'if on, limits count by address', at(CHAT, 'SEED-133')],
  [134, 'a refresh keeps the conversation', at(CHAT_PAGE, 'SEED-134')],
  [135, 'sessions are verified or anonymous', at(CHAT, 'SEED-135')],
  [136, 'verified ones have a memory', at(MEMORY, 'SEED-136')],
  [137, 'of agent and address', at(MEMORY, 'SEED-137')],
  [138, 'brought up to date every fifth message', at(MEMORY, 'SEED-138')],
  [139, 'what the agent does is shown', at(CHAT_PAGE, 'SEED-139')],
  [140, 'a Sharing tab', { why: `${CONSOLE} SEED-148` }],
  [141, 'a Create Public Link button', { why: `${CONSOLE} SEED-149` }],
  [142, 'verification, limits and welcome are set per link', doc],
  [143, 'the address can be copied', at(PUBLIC_LINKS, 'SEED-143')],
  [144, 'without verification people chat at once', doc],
  [145, 'with it: address, code, chat', at(CHAT_PAGE, 'SEED-145')],
  [146, 'who comes back goes on', at(CHAT, 'SEED-146')],
  [147, 'New Conversation begins another', at(CHAT_PAGE, 'SEED-147')],
  [148, 'GET lists', doc],
  [149, 'POST makes', doc],
  [150, 'PUT changes', doc],
  [151, 'DELETE deletes', doc],
  [152, 'POST says something', doc],
  [153, 'GET gives the history', doc],
  [154, 'limits by user or session', at(CHAT_HTTP, 'SEED-154')],
  [155, 'an anonymous session gives nothing to the next', at(CHAT, 'SEED-155')],
  [156, 'memory needs verification', at(MEMORY, 'SEED-156')],
  [157, 'a link says what it asks for', doc],
  [
    158,
    'codes, limits and labels have their numbers',
    at('unit/chat/verification.test.ts', 'SEED-158'),
  ],
  [159, 'links have a name, a switch, an expiry and figures', doc],
];

export const ITEMS: readonly Item[] = [
  ...SHAREABLE,
  ...WEB_CALLS,
  ...INSTANT_LINKS,
  ...CLICK_TO_CALL,
  ...PUBLIC_CHAT,
].map(([number, says, shown]) =>
  'why' in shown ? { number, says, shown: [], why: shown.why } : { number, says, shown },
);
