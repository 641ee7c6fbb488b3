/** `${NAME}` in any text value, replaced from the environment; `$${` stands for `${`. */
import type { Path } from './source.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface MissingVariable {
  readonly path: Path;
  readonly name: string;
}

export interface Substituted {
  readonly value: unknown;
  readonly missing: readonly MissingVariable[];
  /** Dotted paths of values that consist of one variable alone: they may stand for numbers and booleans too. */
  readonly whole: ReadonlySet<string>;
}

export function substitute(raw: unknown, environment: Environment): Substituted {
  const missing: MissingVariable[] = [];
  const whole = new Set<string>();
  const visit = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') {
      if (/^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(value)) whole.add(path.join('.'));
      return value.replace(
        /\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g,
        (all: string, escaped: string | undefined, name: string) => {
          if (escaped !== undefined) return escaped;
          const found = environment[name];
          if (found === undefined) missing.push({ path, name });
          return found ?? all;
        },
      );
    }
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...path, index]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, visit(inner, [...path, key])]));
  };
  return { value: visit(raw, []), missing, whole };
}

/** `raw` with the text at each of `paths` read as a number or boolean where it looks like one. */
export function retyped(raw: unknown, paths: ReadonlySet<string>): unknown {
  const visit = (value: unknown, path: string): unknown => {
    if (typeof value === 'string' && paths.has(path)) return numberOrBoolean(value);
    if (Array.isArray(value)) return value.map((item, index) => visit(item, join(path, index)));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, visit(inner, join(path, key))]));
  };
  return visit(raw, '');
}

function join(path: string, part: string | number): string {
  return path === '' ? String(part) : `${path}.${part}`;
}

function numberOrBoolean(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d+$/.test(text) ? Number(text) : text;
}
