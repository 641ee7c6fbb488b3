import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { errorPage, errorTable } from '../../tools/error-table.ts';

it('docs/errors.md is the table of all error codes (write it with `npx tsx tools/error-table.ts`)', () => {
  expect(readFileSync(errorPage, 'utf8')).toBe(errorTable());
});
