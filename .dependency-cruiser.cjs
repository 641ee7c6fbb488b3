'use strict';

/**
 * Who may import whom: the table of docs/architecture.md, section 3, and nothing else. Every folder may import itself,
 * core, Node's built-ins and declared packages; what is not listed here is forbidden, so a new folder needs a new row.
 */

const contract = 'src/daemon/api/contract\\.ts$';
const facade = 'src/engine/index\\.ts$';
const folder = (path) => `src/${path}/`;
const filesOf = (path) => `src/${path}/[^/]+\\.ts$`;

const table = [
  { name: 'core', from: folder('core'), to: [] },
  ...['crypto', 'chunking', 'compression', 'storage'].map((name) => ({
    name: `engine-${name}`,
    from: folder(`engine/${name}`),
    to: [],
  })),
  { name: 'engine-format', from: folder('engine/format'), to: [folder('engine/crypto'), folder('engine/compression')] },
  { name: 'engine-pbs', from: folder('engine/pbs'), to: [folder('engine/compression')] },
  {
    name: 'engine-compute',
    from: folder('engine/compute'),
    to: ['format', 'chunking', 'compression', 'crypto', 'pbs'].map((name) => folder(`engine/${name}`)),
  },
  { name: 'engine-sources', from: folder('engine/sources'), to: [folder('engine/pbs')] },
  {
    name: 'engine-repository',
    from: folder('engine/repository'),
    to: [
      ...['format', 'crypto', 'compute'].map((name) => folder(`engine/${name}`)),
      'src/engine/storage/storage\\.ts$',
    ],
  },
  ...['backup', 'restore', 'browse', 'maintenance'].map((name) => ({
    name: `engine-${name}`,
    from: folder(`engine/${name}`),
    to: ['repository', 'format', 'sources', 'compute', 'pbs'].map((other) => folder(`engine/${other}`)),
  })),
  { name: 'engine-facade', from: facade, to: [folder('engine')] },
  { name: 'triggers', from: folder('triggers'), except: 'src/triggers/pbs', to: [] },
  { name: 'triggers-pbs', from: 'src/triggers/pbs', to: [folder('engine/pbs')], self: folder('triggers') },
  { name: 'tasks-words', from: filesOf('tasks'), to: [] },
  ...['queue', 'hooks'].map((name) => ({
    name: `tasks-${name}`,
    from: folder(`tasks/${name}`),
    to: [filesOf('tasks')],
  })),
  { name: 'tasks-kinds', from: folder('tasks/kinds'), to: [filesOf('tasks'), facade] },
  { name: 'tasks-process', from: folder('tasks/process'), to: [folder('tasks')] },
  { name: 'daemon', from: folder('daemon'), to: [folder('triggers'), folder('tasks'), facade] },
  {
    name: 'cli',
    from: folder('cli'),
    to: [
      folder('daemon/config'),
      contract,
      'src/daemon/main\\.ts$',
      folder('tasks/kinds'),
      folder('tasks/hooks'),
      facade,
    ],
  },
];

const anchored = (pattern) => `^${pattern}`;

const rows = table.map(({ name, from, except, self, to }) => ({
  name,
  severity: 'error',
  comment: `docs/architecture.md, section 3: what ${name} may import`,
  from: { path: anchored(from), ...(except === undefined ? {} : { pathNot: anchored(except) }) },
  to: { path: '^(src|ui)/', pathNot: [self ?? from, folder('core'), ...to].map(anchored) },
}));

const known = table.map((row) => anchored(row.from));

module.exports = {
  forbidden: [
    ...rows,
    {
      name: 'folder-without-a-row',
      severity: 'error',
      comment: 'A folder of src that the table does not name may import nothing and may not be imported.',
      from: { path: '^src/', pathNot: known },
      to: {},
    },
    {
      name: 'folder-without-a-row-imported',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: known },
    },
    {
      name: 'production-imports-tests',
      severity: 'error',
      comment: 'src and ui never import tests, benchmarks or tools.',
      from: { path: '^(src|ui)/' },
      to: { path: '^(test|bench|tools)/' },
    },
    {
      name: 'ui-knows-only-the-contract',
      severity: 'error',
      comment: 'The UI imports types of the API contract and nothing else of src.',
      from: { path: '^ui/' },
      to: { path: '^src/', pathNot: anchored(contract) },
    },
    {
      name: 'ui-imports-types-only',
      severity: 'error',
      from: { path: '^ui/' },
      to: { path: anchored(contract), dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'undeclared-package',
      severity: 'error',
      comment: 'Packages must be declared in package.json.',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'development-package-in-production',
      severity: 'error',
      comment: 'src runs without devDependencies; entry-dev.mjs is the development bootstrap and not part of dist.',
      from: { path: '^src/', pathNot: '^src/core/entry-dev\\.mjs$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default', 'svelte'],
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.svelte', '.json', '.node'],
    },
  },
};
