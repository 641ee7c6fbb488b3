/** The file as text: where a key or value stands, and how the line looks around it. */
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import type { ConfigProblem } from './config.ts';
import { closest } from './suggestions.ts';

export type Path = readonly (string | number)[];

/** Characters `[from, to)` of the text. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Values of these keys are never shown, nor of keys that may be meant to be one of them. */
const secretKeys = ['password', 'accessKey', 'secretKey', 'token', 'credential', 'secret'];

export class ConfigSource {
  readonly file: string;
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #document: Document;
  readonly #secrets: readonly Range[];

  constructor(file: string, text: string) {
    this.file = file;
    this.#text = text;
    this.#document = parseDocument(veilVariables(text), { lineCounter: this.#lines, prettyErrors: false });
    this.#secrets = secretRanges(this.#document.contents);
  }

  /** What YAML itself refuses. */
  get yamlProblems(): readonly ConfigProblem[] {
    // What follows a syntax error is mostly its echo.
    const echo = this.#document.errors.findIndex((error) => error.code !== 'DUPLICATE_KEY');
    const errors = echo < 0 ? this.#document.errors : this.#document.errors.slice(0, echo + 1);
    return errors.map((error) => {
      const [from, to] = error.pos;
      const key = /^[^:\s]*/.exec(this.#text.slice(from))?.[0] ?? '';
      const message = error.code === 'DUPLICATE_KEY' ? `the key \`${key}\` stands here twice` : error.message;
      return this.problem('config.invalid', [], message, { from, to: Math.max(to, from + 1) });
    });
  }

  /** True when duplicate keys are all that is wrong, so that the rest can be checked. */
  get readable(): boolean {
    return this.#document.errors.every((error) => error.code === 'DUPLICATE_KEY');
  }

  /** The plain value. @throws ReferenceError for aliases that explode. */
  value(): unknown {
    return unveil(this.#document.toJS());
  }

  /** Where the value at `path` stands, or the nearest key above it. */
  valueRange(path: Path): Range {
    const found = this.#find(path);
    if (found.value) return found.value;
    return found.key ?? (path.length === 0 ? { from: 0, to: 0 } : this.keyRange(path.slice(0, -1)));
  }

  /** Where the key that ends `path` stands. */
  keyRange(path: Path): Range {
    return this.#find(path).key ?? this.valueRange(path.length === 0 ? [] : path.slice(0, -1));
  }

  lineOf(path: Path): number {
    return this.#lines.linePos(this.keyRange(path).from).line;
  }

  problem(code: ConfigProblem['code'], path: Path, message: string, range: Range, hint?: string): ConfigProblem {
    const { line, col } = this.#lines.linePos(range.from);
    const place = {
      file: this.file,
      line,
      column: col,
      path: path.map((part) => (part === '' ? '""' : part)).join('.'),
    };
    const excerpt = this.#excerpt(line, col, range);
    return { code, ...place, message, ...(hint === undefined ? {} : { hint }), excerpt };
  }

  #excerpt(line: number, column: number, range: Range): string {
    const start = this.#lines.lineStarts[line - 1] ?? 0;
    const end = (this.#lines.lineStarts[line] ?? this.#text.length + 1) - 1;
    let shown = this.#text.slice(start, end).trimEnd();
    for (const secret of this.#secrets) {
      const [from, to] = [Math.max(secret.from - start, 0), Math.min(secret.to - start, shown.length)];
      if (from < to) shown = shown.slice(0, from) + '*'.repeat(to - from) + shown.slice(to);
    }
    const length = Math.max(1, Math.min(range.to, start + shown.length) - range.from);
    const number = String(line).padStart(5);
    return `${number} | ${shown}\n${' '.repeat(5)} | ${' '.repeat(column - 1)}${'^'.repeat(length)}`;
  }

  #find(path: Path): { readonly key?: Range; readonly value?: Range } {
    let node: unknown = this.#document.contents;
    let key: Range | undefined;
    for (const part of path) {
      if (isSeq(node)) {
        node = node.items[Number(part)];
        key = rangeOf(node);
      } else if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && unveil(String(item.key.value)) === String(part));
        if (!pair) return {};
        key = rangeOf(pair.key);
        node = pair.value;
      } else return {};
    }
    const value = rangeOf(node);
    return { ...(key && { key }), ...(value && { value }) };
  }
}

/**
 * In `{ key: ${NAME} }` the braces would be YAML's own. Inside `${NAME}` they are taken for letters of the private use
 * area, one for one, so that positions stay; `unveil` gives them back.
 */
function veilVariables(text: string): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, '$\uE000$1\uE001');
}

function unveil(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('\uE000', '{').replaceAll('\uE001', '}');
  if (Array.isArray(value)) return value.map(unveil);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [String(unveil(key)), unveil(inner)]));
}

function rangeOf(node: unknown): Range | undefined {
  const range = (node as Node | undefined)?.range;
  return range ? { from: range[0], to: Math.max(range[1], range[0] + 1) } : undefined;
}

function secretRanges(node: unknown): readonly Range[] {
  if (isSeq(node)) return node.items.flatMap(secretRanges);
  if (isPair(node)) {
    const secretKey = isScalar(node.key) && closest(String(node.key.value), secretKeys) !== undefined;
    const range = isScalar(node.value) ? rangeOf(node.value) : undefined;
    return secretKey && range ? [range] : secretRanges(node.value);
  }
  return isMap(node) ? node.items.flatMap(secretRanges) : [];
}
