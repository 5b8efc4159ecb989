import { SETTINGS } from './config/settings.ts';

/** What `--help` prints, in the order of a manual page. */
export function helpText(): string {
  const settings = SETTINGS.flatMap(({ env, schema }) => {
    if (env === null) return [];
    const byDefault = schema.default === undefined ? '' : ` [${JSON.stringify(schema.default)}]`;
    return [`  ${env}${byDefault}\n      ${schema.description}`];
  });
  return `NAME
  trunkline - telephony gateway for voice agents

SYNOPSIS
  trunkline [--help | --version]
  trunkline [--url URL] [--key KEY] [--json] COMMAND …

DESCRIPTION
  Runs until it is asked to stop. Phones and carriers reach its agents by SIP; its HTTP API
  tells of agents and calls. Settings come from a file and from the environment, which wins.
  With a command it asks a running daemon instead.

OPTIONS
  -h, --help     print this and exit
  -V, --version  print the version and exit

COMMANDS
  keys, agents, links, calls, trunks, usage
      "trunkline help" and "trunkline help COMMAND" tell more.

SIGNALS
  SIGTERM, SIGINT
      The first one drains: new calls are refused, live ones may finish. A second one, or
      TRUNKLINE_LIMITS_DRAIN_TIMEOUT_SECONDS, hangs up.

EXIT STATUS
  0   stopped as asked
  1   a part failed to start or to stop, or a bug
  64  the command line is wrong
  78  a setting is unknown or malformed

FILES
  config/trunkline.yaml   settings, if present (config/trunkline.example.yaml documents all)
  data/trunkline.sqlite   the database
  data/admin.key          the key of the first workspace

ENVIRONMENT
  TRUNKLINE_CONFIG
      Settings file to read instead of config/trunkline.yaml.
${settings.join('\n')}
  With _FILE behind its name, each of these names a file that holds the value.
`;
}
