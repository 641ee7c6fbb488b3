/** Reads a configuration file: all problems at once, or the frozen configuration. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf, NesteggError, systemCode, UsageError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { buildConfig } from './build.ts';
import { referenceProblems } from './check-references.ts';
import type { Config, ConfigCheck, ConfigProblem } from './config.ts';
import { type Environment, retyped, substitute } from './environment.ts';
import { withDefaults } from './layers.ts';
import { schemaProblems } from './problems.ts';
import { vocabulary, type Vocabulary } from './schema.ts';
import { readSecret } from './secrets.ts';
import { type Issue, issuesOf, soundPart } from './sound-part.ts';
import { ConfigSource, type Path } from './source.ts';
import { unavailableKeys } from './unavailable.ts';
import type { SecretSource } from './words.ts';

/** The problems of a configuration file, all of them. `message` is what a person should see. */
export class ConfigError extends NesteggError {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems[0]?.code ?? 'config.invalid', formatProblems(problems), { context: { problems: problems.length } });
    this.problems = problems;
  }
}

/** @throws ConfigError, or UsageError when the file cannot be read */
export async function loadConfig(path: string, environment: Environment = process.env): Promise<Config> {
  const checked = await checkConfig(path, environment);
  if (checked.ok) return checked.config;
  throw new ConfigError(checked.problems);
}

/** @throws UsageError when the file cannot be read */
export async function checkConfig(path: string, environment: Environment = process.env): Promise<ConfigCheck> {
  return checkText(resolve(path), await readConfig(path), environment);
}

/** `checkConfig` of a text that stands, or will stand, in the file `file` (absolute). */
export async function checkText(file: string, text: string, environment: Environment): Promise<ConfigCheck> {
  const source = new ConfigSource(file, text);
  if (!source.readable) return failed(source.yamlProblems);
  const plain = source.value() ?? {};
  const { sound, names, problems } = checkValues(source, plain, environment);
  const found = [...source.yamlProblems, ...problems];
  // Names, references and secrets of everything that is sound are checked even if something else is not.
  const layered = withDefaults(sound, source);
  const complete = vocabulary.parse(layered.value);
  found.push(...referenceProblems(source, complete, names));
  const secrets = await readSecrets(source, complete, environment);
  found.push(...secrets.problems);
  if (found.length > 0) return failed(found);
  const around = { file, folder: dirname(file), secret: secrets.secret };
  return { ok: true, config: buildConfig(complete, around), effective: layered.effective };
}

/** As people read it: place, message, line, caret, hint; one block for each problem. */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  const blocks = problems.map(({ file, line, column, path, message, hint, excerpt }) => {
    const place = `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
    return [place, excerpt, ...(hint === undefined ? [] : [`      ${hint}`])].join('\n');
  });
  return blocks.join('\n\n');
}

async function readConfig(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const why = systemCode(cause) === 'ENOENT' ? 'it does not exist' : messageOf(cause);
    throw new UsageError(`the configuration file ${path} cannot be read: ${why}`, {
      cause,
      code: 'config.invalid',
      hint: '`--config FILE` names another one; config.example.yml is a start.',
    });
  }
}

interface CheckedValues {
  /** What is left, acceptable to the schema, when everything wrong is taken out. */
  readonly sound: unknown;
  /** The names of all repositories, sound or not. */
  readonly names: readonly string[];
  readonly problems: readonly ConfigProblem[];
}

/** Variables, keys of unbuilt parts, and the schema. */
function checkValues(source: ConfigSource, plain: unknown, environment: Environment): CheckedValues {
  const { value, missing, whole } = substitute(plain, environment);
  const variables = missing.map(({ path, name }) => {
    const hint = 'Set it for the daemon, for example with Environment= of its unit.';
    const message = `the environment variable ${name} is not set`;
    return source.problem('config.secret', path, message, source.valueRange(path), hint);
  });
  const unbuilt = unavailableKeys(value).map(({ path, what, hint }) =>
    source.problem('config.unavailable', path, `${what} is not available yet`, source.keyRange(path), hint),
  );
  const { raw, issues } = accepted(value, whole);
  const told = [...variables, ...unbuilt].map(({ path }) => path);
  const isTold = ({ path }: ConfigProblem): boolean => told.some((one) => path === one || path.startsWith(`${one}.`));
  const wrong = schemaProblems(source, issues, raw).filter((problem) => !isTold(problem));
  return { sound: soundPart(raw), names: repositoryNames(raw), problems: [...variables, ...unbuilt, ...wrong] };
}

/** A variable may stand for a number or a boolean, where reading it as one makes the schema happier. */
function accepted(
  value: unknown,
  whole: ReadonlySet<string>,
): { readonly raw: unknown; readonly issues: readonly Issue[] } {
  const issues = issuesOf(value);
  if (issues.length === 0 || whole.size === 0) return { raw: value, issues };
  const raw = retyped(value, whole);
  const left = issuesOf(raw);
  return left.length < issues.length ? { raw, issues: left } : { raw: value, issues };
}

function repositoryNames(raw: unknown): readonly string[] {
  const all = typeof raw === 'object' && raw !== null && 'repositories' in raw ? raw.repositories : undefined;
  return typeof all === 'object' && all !== null ? Object.keys(all) : [];
}

interface ReadSecrets {
  readonly problems: readonly ConfigProblem[];
  readonly secret: (from: SecretSource) => Secret;
}

async function readSecrets(source: ConfigSource, values: Vocabulary, environment: Environment): Promise<ReadSecrets> {
  const problems: ConfigProblem[] = [];
  const read = new Map<SecretSource, Secret>();
  for (const { path, from } of secretSources(values)) {
    const answer = await readSecret(from, dirname(source.file), environment);
    if (answer.ok) read.set(from, answer.secret);
    else {
      const message = `the secret cannot be read: ${answer.why}`;
      problems.push(source.problem('config.secret', path, message, source.valueRange(path), answer.hint));
    }
  }
  const secret = (from: SecretSource): Secret => {
    const found = read.get(from);
    if (!found) throw new TypeError('a secret of the configuration was not read');
    return found;
  };
  return { problems, secret };
}

function secretSources(
  value: unknown,
  path: Path = [],
): readonly { readonly path: Path; readonly from: SecretSource }[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('from' in value) return [{ path, from: value as SecretSource }];
  const entries: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries.flatMap(([key, inner]) => secretSources(inner, [...path, key]));
}

function failed(problems: readonly ConfigProblem[]): ConfigCheck {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  return { ok: false, problems: sorted };
}
