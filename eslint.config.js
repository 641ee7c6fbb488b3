import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const words = [
  { selector: 'TSEnumDeclaration', message: 'Use a union of string literals.' },
  { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
  { selector: 'TSAsExpression > TSAnyKeyword', message: 'No casts to any.' },
];

const time = [
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: 'Time comes from a Clock (src/core/clock.ts).',
  },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Time comes from a Clock.' },
  { selector: "CallExpression[callee.name='Date']", message: 'Time comes from a Clock.' },
  { selector: "MemberExpression[object.name='performance']", message: 'Durations come from Clock.monotonic.' },
  { selector: "CallExpression[callee.property.name='hrtime']", message: 'Durations come from Clock.monotonic.' },
  {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message: 'Random values come from a Random (src/core/random.ts).',
  },
  {
    selector: "MemberExpression[object.name='globalThis'][property.name=/^set(Timeout|Interval|Immediate)$/]",
    message: 'Waiting goes through Clock.sleep.',
  },
  { selector: "MemberExpression[object.name='AbortSignal'][property.name='timeout']", message: 'Use Clock.sleep.' },
];

const timers = ['setTimeout', 'setInterval'].map((name) => ({ name, message: 'Waiting goes through Clock.sleep.' }));
const timerModules = ['node:timers', 'node:timers/promises', 'timers', 'timers/promises', 'node:perf_hooks'].map(
  (name) => ({ name, message: 'Time comes from a Clock (src/core/clock.ts).' }),
);

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', '.nestegg-demo/'] },
  js.configs.recommended,
  {
    languageOptions: { globals: globals.node },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': ['error', { max: 60 }],
      complexity: ['error', 15],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.ts', '**/*.svelte'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.svelte'],
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // The reason of an AbortSignal is thrown as it is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true, allowThrowingAny: true }],
      '@typescript-eslint/prefer-promise-reject-errors': [
        'error',
        { allowThrowingUnknown: true, allowThrowingAny: true },
      ],
      // An `async` method that never awaits still keeps the promise of its interface: it rejects instead of throwing.
      '@typescript-eslint/require-await': 'off',
      'no-restricted-syntax': ['error', ...words, ...time],
      'no-restricted-globals': ['error', ...timers],
      'no-restricted-imports': ['error', { paths: timerModules }],
    },
  },
  {
    files: ['src/core/**/*.ts', 'ui/src/state/browser.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...words],
      'no-restricted-globals': 'off',
      'no-restricted-imports': 'off',
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      // `expect.any()` and its siblings are typed `any`.
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
  {
    files: ['**/*.config.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...words.filter((word) => word.selector !== 'ExportDefaultDeclaration')],
    },
  },
  ...svelte.configs['flat/recommended'],
  {
    files: ['ui/**/*.svelte', 'ui/**/*.svelte.ts'],
    languageOptions: { globals: globals.browser, parserOptions: { parser: tseslint.parser } },
    rules: {
      // `let` is how Svelte declares props and state.
      'prefer-const': 'off',
      'svelte/prefer-const': ['error', { destructuring: 'all', excludedRunes: ['$props', '$state'] }],
    },
  },
  { files: ['ui/src/**/*.ts'], languageOptions: { globals: globals.browser } },
);
