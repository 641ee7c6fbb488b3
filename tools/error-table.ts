/** The table of `docs/errors.md`, made from `src/core/error-codes.ts`. Run it to write the page: `npx tsx tools/error-table.ts`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorCodes } from '../src/core/error-codes.ts';

export const errorPage = new URL('../docs/errors.md', import.meta.url);

export function errorTable(): string {
  const rows = Object.entries(errorCodes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  return [
    '# Error codes',
    '',
    'Every error that Nestegg reports carries one of these codes, in the log, the API and on the command line. A code never changes its meaning.',
    'Codes that begin with `source.` or `pbs.` may end as a warning of a task; all others fail what they hit.',
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(errorPage, errorTable());
