/** What an owner needs to make calls by one agent: shown with its credentials. */
export interface ClickToCallGuide {
  readonly instructions: string;
  readonly curl: string;
  readonly nodejs: string;
  readonly python: string;
}

export interface GuideFacts {
  readonly agentName: string;
  readonly endpoint: string;
  readonly token: string;
  readonly secret: string;
  readonly isSignatureOff: boolean;
  /** Names that the script needs. */
  readonly variables: readonly string[];
}

const SAMPLE_PHONE = '+34612345678';

export function clickToCallGuide(facts: GuideFacts): ClickToCallGuide {
  const values = Object.fromEntries(facts.variables.map((name) => [name, '…']));
  const body = JSON.stringify({ phone: SAMPLE_PHONE, variables: values });
  return {
    instructions: instructionsOf(facts),
    curl: curlOf(facts, body),
    nodejs: nodeOf(facts, body),
    python: pythonOf(facts, body),
  };
}

function instructionsOf({ agentName, endpoint, isSignatureOff, variables }: GuideFacts): string {
  const signing = isSignatureOff
    ? 'Signature verification is disabled: the token alone starts calls, so keep it secret.'
    : 'Send the header "signature": the HMAC-SHA256 of the exact bytes of the body, by the API secret, in hexadecimal.';
  const named =
    variables.length === 0
      ? 'The script needs none.'
      : `The script needs: ${variables.join(', ')}.`;
  return [
    `${agentName} calls the number that your backend names. Never call this from a browser: the secret would be public.`,
    `POST ${endpoint} with the header "api-key" (the API token) and a JSON body: "phone" in E.164, and "variables" for {{names}} in the script.`,
    signing,
    `Variables may be empty texts but never absent. ${named} Names beginning with "voiceb" or "system" are reserved.`,
    'The answer comes when the call is on its way: {"success": true, "call_id": …, "status": "initiated", "warnings": []}. Send an Idempotency-Key to try again safely.',
  ].join('\n');
}

function curlOf({ endpoint, token, secret, isSignatureOff }: GuideFacts, body: string): string {
  const quoted = quoteForShell(body);
  if (isSignatureOff) {
    return `curl ${endpoint} -H 'api-key: ${token}' -H 'Content-Type: application/json' -d ${quoted}`;
  }
  return [
    `BODY=${quoted}`,
    `SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac '${secret}' | sed 's/^.* //')`,
    `curl ${endpoint} -H 'api-key: ${token}' -H "signature: $SIGNATURE" -H 'Content-Type: application/json' -d "$BODY"`,
  ].join('\n');
}

function nodeOf({ endpoint, token, secret }: GuideFacts, body: string): string {
  return `import { createHmac } from 'node:crypto';

const body = JSON.stringify(${body});
const signature = createHmac('sha256', '${secret}').update(body).digest('hex');
const response = await fetch('${endpoint}', {
  method: 'POST',
  headers: { 'api-key': '${token}', signature, 'Content-Type': 'application/json' },
  body,
});
console.log(response.status, await response.json());
`;
}

function pythonOf({ endpoint, token, secret }: GuideFacts, body: string): string {
  return `import hashlib, hmac, json, urllib.request

body = json.dumps(${body}).encode()
signature = hmac.new(b'${secret}', body, hashlib.sha256).hexdigest()
headers = {'api-key': '${token}', 'signature': signature, 'Content-Type': 'application/json'}
request = urllib.request.Request('${endpoint}', body, headers)
with urllib.request.urlopen(request) as response:
    print(response.status, response.read().decode())
`;
}

function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
