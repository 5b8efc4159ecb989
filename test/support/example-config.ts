import { SECTIONS, SETTINGS, sectionDescription, type Setting } from '../../src/config/settings.ts';
import { TRUNK_SETTINGS } from '../../src/config/trunk-settings.ts';

const INTRODUCTION = `# Trunkline's settings. Copy this file to config/trunkline.yaml, or name another by TRUNKLINE_CONFIG.
#
# Every setting is here with its default. Those that begin with "#" are unset until you set them.
# The variable named above a setting overrides it; with _FILE behind its name
# (TRUNKLINE_ADMIN_KEY_FILE) it names a file that holds the value. Lists are separated by commas.
# An unknown or malformed setting stops the daemon before it listens.
`;

const UNSET_EXAMPLES: Readonly<Record<string, string>> = {
  'http.public_url': 'https://voice.example.org',
  'sip.external_address': '203.0.113.10',
  'sip.tls_port': '5061',
  'sip.tls_cert_file': '/etc/ssl/trunkline.pem',
  'sip.tls_key_file': '/etc/ssl/trunkline.key',
  'sip.websocket_relay': 'ws://127.0.0.1:8443',
  'media.external_address': '203.0.113.10',
  'stt.provider': 'openai',
  'stt.base_url': 'https://api.openai.com/v1',
  'stt.api_key': 'sk-...',
  'llm.provider': 'openai',
  'llm.base_url': 'http://127.0.0.1:11434/v1',
  'llm.api_key': 'sk-...',
  'llm.temperature': '0.7',
  'tts.provider': 'openai',
  'tts.base_url': 'https://api.openai.com/v1',
  'tts.api_key': 'sk-...',
  'mail.host': 'smtp.example.org',
  'mail.user': 'trunkline',
  'mail.password': 'secret',
  database_url: 'sqlite:/var/lib/trunkline/trunkline.sqlite',
  admin_key: 'pk_live_0123456789abcdefghijklmnop',
  sealing_key: '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
};

/** What stands in the example of a trunk where there is no default. */
const TRUNK_EXAMPLES: Readonly<Record<string, string>> = {
  name: 'my-carrier',
  hosts: '[sip.carrier.example, "backup.carrier.example:5080"]',
  domain: 'carrier.example',
  username: '"34911222333"',
  auth_username: 'auth-34911222333',
  password: '...',
  password_file: '/run/secrets/my-carrier',
  realm: 'carrier.example',
  allowed_sources: '[203.0.113.0/24]',
  inbound_username: 'carrier',
  inbound_password: '...',
  inbound_password_file: '/run/secrets/my-carrier-inbound',
  caller_id_number: '"+34911222333"',
  country: 'ES',
  outbound_prefixes: '["+34"]',
  external_address: '203.0.113.10',
  tls_ca_file: '/etc/ssl/carrier.pem',
  numbers: '{ "+34911222333": agt_demo }',
  agent: 'agt_demo',
};

/** The whole text of config/trunkline.example.yaml, made from the schema. */
export function exampleConfig(): string {
  const sections = SECTIONS.map((section) => {
    const settings = SETTINGS.filter((setting) => setting.section === section);
    const lines = settings.map((setting) => lineOf(setting, '  ')).join('');
    return `\n# ${sectionDescription(section)}\n${section}:\n${lines}`;
  });
  const top = SETTINGS.filter(({ section }) => section === null);
  return [INTRODUCTION, ...sections, '\n', ...top.map((setting) => lineOf(setting, ''))].join('');
}

/** One trunk with every setting; those with a further "#" are unset, or as good as unset. */
function trunkLines(): string {
  const lines = Object.entries(TRUNK_SETTINGS).map(([name, schema], index) => {
    const isUnset = schema.default === undefined && !['name', 'hosts'].includes(name);
    const value = TRUNK_EXAMPLES[name] ?? plain(schema.default);
    const setting = `${isUnset ? '#' : ''}${name}: ${value}`;
    return `#   ${index === 0 ? '-' : ' '} # ${schema.description}\n#     ${setting}\n`;
  });
  return `# trunks:\n${lines.join('')}`;
}

function plain(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

function lineOf({ name, key, env, schema }: Setting, indent: string): string {
  const variable = env === null ? '' : ` ${env}`;
  const comment = `${indent}# ${schema.description}${variable}\n`;
  if (schema.default === undefined) {
    return `${comment}${indent}#${key}: ${UNSET_EXAMPLES[name] ?? ''}\n`;
  }
  if (schema.type === 'object') {
    const entries = Object.entries(schema.default ?? {});
    return `${comment}${indent}${key}:\n${entries.map(([from, to]) => `${indent}  ${from}: ${to}\n`).join('')}`;
  }
  const value =
    typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default);
  const example = name === 'trunks' ? trunkLines() : '';
  return `${comment}${indent}${key}: ${value}
${example}`;
}
