/** Issues of the schema as problems with a place in the file. */
import type { z } from 'zod';
import type { ConfigProblem } from './config.ts';
import type { ConfigSource, Path } from './source.ts';
import { closest } from './suggestions.ts';

type Issue = z.core.$ZodIssue;

/** `value` is what was checked: it tells a missing key from a wrong one. */
export function schemaProblems(
  source: ConfigSource,
  issues: readonly Issue[],
  value: unknown,
): readonly ConfigProblem[] {
  return issues.flatMap((issue) => issueProblems(source, issue, [], value));
}

function issueProblems(source: ConfigSource, issue: Issue, above: Path, value: unknown): readonly ConfigProblem[] {
  const path = [...above, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.message.split('\n').map((message, index) => {
        const keyPath = [...path, issue.keys[index] ?? ''];
        return source.problem('config.invalid', keyPath, message, source.keyRange(keyPath));
      });
    case 'invalid_key': {
      const message = issue.issues[0]?.message ?? issue.message;
      return [
        source.problem(
          'config.invalid',
          path,
          `\`${String(path.at(-1))}\` is no name: ${message}`,
          source.keyRange(path),
        ),
      ];
    }
    case 'invalid_union': {
      const branch = bestBranch(issue.errors);
      if (branch) return branch.flatMap((inner) => issueProblems(source, inner, path, value));
      return [valueProblem(source, path, value, unionMessage(issue, valueAt(value, path)))];
    }
    default:
      return [valueProblem(source, path, value, message(issue, valueAt(value, path)))];
  }
}

function valueProblem(source: ConfigSource, path: Path, value: unknown, text: string): ConfigProblem {
  if (valueAt(value, path) !== undefined) return source.problem('config.invalid', path, text, source.valueRange(path));
  const range = source.keyRange(path.slice(0, -1));
  return source.problem('config.invalid', path, `\`${String(path.at(-1))}\` is missing: ${text}`, range);
}

/**
 * The alternative a person most likely meant: one whose shape fits, the one with the fewest issues. None when the value
 * is of a wrong type altogether; then the message of the union says what is possible.
 */
function bestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const fitting = branches.filter((issues) => !issues.some((issue) => issue.path.length === 0 && isShapeIssue(issue)));
  return fitting.sort((a, b) => a.length - b.length)[0];
}

function isShapeIssue(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function unionMessage(issue: Extract<Issue, { code: 'invalid_union' }>, value: unknown): string {
  if (!('discriminator' in issue) || issue.discriminator === undefined) return issue.message;
  const options = ('options' in issue && Array.isArray(issue.options) ? issue.options : []).map(String);
  return oneOf(options, value);
}

function message(issue: Issue, value: unknown): string {
  if (issue.code === 'invalid_value' && issue.values.length > 1) return oneOf(issue.values.map(String), value);
  return issue.message;
}

function oneOf(options: readonly string[], value: unknown): string {
  const meant = typeof value === 'string' ? closest(value, options) : undefined;
  return `one of ${options.join(', ')} is needed${meant === undefined ? '' : `; did you mean \`${meant}\`?`}`;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === 'object' && at !== null ? (at as Readonly<Record<string, unknown>>)[part] : undefined),
    value,
  );
}
