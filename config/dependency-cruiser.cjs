/** Who may import whom: the table of src/README.md, as rules. */
const FOLDERS = {
  lib: [],
  model: ['lib'],
  observability: ['lib', 'model'],
  'sip-engine': ['lib'],
  signaling: ['lib', 'model', 'observability'],
  media: ['lib', 'model', 'observability'],
  dialogue: ['lib', 'model', 'observability'],
  storage: ['lib', 'model', 'observability'],
  speech: ['lib', 'model', 'observability', 'dialogue'],
  voice: ['lib', 'model', 'observability', 'media', 'speech', 'dialogue'],
  call: ['lib', 'model', 'observability', 'signaling', 'voice'],
  billing: ['lib', 'model', 'observability', 'storage', 'call'],
  access: ['lib', 'model', 'observability', 'storage', 'call', 'dialogue'],
  webhooks: ['lib', 'model', 'observability', 'storage', 'call'],
  chat: ['lib', 'model', 'observability', 'storage', 'call', 'dialogue'],
  web: ['lib', 'model'],
  cli: ['lib'],
};

const folderRules = Object.entries(FOLDERS).map(([folder, allowed]) => ({
  name: `${folder}-imports`,
  comment: `src/${folder} may import ${allowed.join(', ') || 'nothing of ours'}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
}));

const onlyIn = (name, packagePath, allowed) => ({
  name,
  severity: 'error',
  from: { path: '^src/', pathNot: allowed },
  to: { path: `node_modules/(${packagePath})/` },
});

module.exports = {
  forbidden: [
    ...folderRules,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'http-not-app',
      severity: 'error',
      from: { path: '^src/http/' },
      to: { path: '^src/(app|main|lifecycle)\\.ts' },
    },
    {
      name: 'not-from-test',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^test/' },
    },
    onlyIn('srf-only-in-signaling', 'drachtio-srf', '^src/signaling/'),
    onlyIn('knex-only-in-storage', 'knex|sqlite3', '^src/storage/'),
    onlyIn('fastify-only-in-http', 'fastify|@fastify', '^src/http/'),
    onlyIn('codec-only-in-media', '@discordjs/opus|libopus-wasm|node-datachannel', '^src/media/'),
    onlyIn('commander-only-in-cli', 'commander', '^src/cli/'),
    {
      name: 'cli-stands-alone',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'], extensions: ['.ts', '.js', '.cjs', '.mjs', '.json', '.d.ts'] },
  },
};
