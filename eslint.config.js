// Lint rules of the workspace. Who may import whom comes from the table in scripts/map.js, which test/map.test.ts holds
// against the manifests and the code; here it makes a forbidden import show in an editor.
import { importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';
import { MAP } from './scripts/map.js';

const HOST_GLOBALS = [
  ['Date', "Take time from the machine's clock."],
  ['performance', "Take time from the machine's clock."],
  ['setTimeout', "Schedule on the machine's clock."],
  ['setInterval', "Schedule on the machine's clock."],
  ['setImmediate', "Schedule on the machine's clock."],
  ['queueMicrotask', "Schedule on the machine's clock."],
  ['console', 'Emit an event of the event stream, or return a value.'],
  ['process', 'Packages run anywhere: what needs the host stands in a ./node subpath or an app.'],
].map(([name, message]) => ({ name, message }));

const ASSEMBLYSCRIPT = [
  'apps/create-libos/template/**/*.ts',
  'apps/demos/programs/**/*.ts',
  'packages/conformance/programs/**/*.ts',
  'packages/libos-kit/assembly/**/*.ts',
  'packages/exos/assembly/**/*.ts',
  'packages/vcode/bench/programs/**/*.ts',
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/.turbo/**', 'docs/api/**', '**/*.js', '**/*.mjs'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { 'import-x': importX },
    rules: {
      // Numbers in messages are wanted.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'Re-export by name.' },
        { selector: 'TSEnumDeclaration', message: 'Use a const object and a union.' },
      ],
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    ignores: ['packages/*/src/node/**'],
    rules: {
      'no-restricted-globals': ['error', ...HOST_GLOBALS],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Take chance from a seeded generator.' },
        { object: 'globalThis', property: 'Date', message: "Take time from the machine's clock." },
      ],
    },
  },
  ...Object.entries(MAP).map(([name, allowed]) => ({
    files: [`packages/${name}/src/**/*.ts`],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^@exokernel/(?!(${[name, ...allowed].join('|')})(/|$))`,
              message: `${name} may import only: ${allowed.join(', ') || 'nothing'} (docs/architecture.md).`,
            },
            { regex: '^\\.\\./\\.\\./', message: 'Do not reach into another package.' },
          ],
        },
      ],
    },
  })),
  {
    files: ['**/test/**/*.ts', '**/bench/**/*.ts', 'scripts/**/*.ts', '**/*.config.ts'],
    ignores: ASSEMBLYSCRIPT,
    languageOptions: { parserOptions: { projectService: false, project: './tsconfig.tests.json' } },
    rules: {
      'max-lines': 'off',
      'import-x/no-default-export': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
    },
  },
  {
    // AssemblyScript: its numbers are wrapped and mixed on purpose, and what types say of values in TypeScript does not hold.
    files: ASSEMBLYSCRIPT,
    ...tseslint.configs.disableTypeChecked,
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      // `==` and `===` are the same.
      eqeqeq: 'off',
      // Inferred types are those of numbers: a written one chooses the width.
      '@typescript-eslint/no-inferrable-types': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // It knows no `import type`, and its namespaces are constants of the compiler.
      '@typescript-eslint/consistent-type-imports': 'off',
      '@typescript-eslint/no-namespace': 'off',
    },
  },
  {
    files: ['packages/*/src/**/*table*.ts', 'packages/isa/src/instructions.ts'],
    rules: { 'max-lines': 'off' },
  },
);
