/** Reading JSON that somebody else wrote: every access is checked, every failure is a `CorruptionError` that says where. */
import { CorruptionError, messageOf } from '../../core/errors.ts';

export type JsonRecord = Readonly<Record<string, unknown>>;

interface FieldTypes {
  readonly string: string;
  /** A non-negative safe integer. */
  readonly count: number;
  readonly array: readonly unknown[];
}

const checks: { readonly [T in keyof FieldTypes]: (value: unknown) => value is FieldTypes[T] } = {
  string: (value) => typeof value === 'string',
  count: (value): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0,
  array: (value): value is readonly unknown[] => Array.isArray(value),
};

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Far more than PBS ever nests; keeps recursion over hostile texts off the end of the stack. */
const maxDepth = 64;

/** One JSON object in strict UTF-8, nested at most 64 deep. @throws CorruptionError (`pbs.format`). */
export function parseJson(bytes: Uint8Array, what: string): JsonRecord {
  if (nestsTooDeep(bytes)) throw new CorruptionError(`${what} is nested too deeply`, { code: 'pbs.format' });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw new CorruptionError(`${what} is not JSON: ${messageOf(error)}`, { code: 'pbs.format', cause: error });
  }
  if (!isRecord(value)) throw new CorruptionError(`${what} is not a JSON object`, { code: 'pbs.format' });
  return value;
}

/** A required property of the given type. @throws CorruptionError (`pbs.format`). */
export function field<T extends keyof FieldTypes>(
  record: JsonRecord,
  name: string,
  type: T,
  what: string,
): FieldTypes[T] {
  const value = Object.hasOwn(record, name) ? record[name] : undefined;
  if (checks[type](value)) return value;
  throw new CorruptionError(`${what} is malformed: "${name}" is missing or of the wrong type`, { code: 'pbs.format' });
}

/** A text, or undefined where the property is missing or null. @throws CorruptionError (`pbs.format`) for another type. */
export function optionalText(record: JsonRecord, name: string, what: string): string | undefined {
  if (!Object.hasOwn(record, name) || record[name] === null) return undefined;
  return field(record, name, 'string', what);
}

const quote = 0x22;
const backslash = 0x5c;

function nestsTooDeep(text: Uint8Array): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.byteLength; at++) {
    const byte = text[at] ?? 0;
    if (byte === backslash) at += 1;
    else if (byte === quote) quoted = !quoted;
    else if (quoted) continue;
    else if (byte === 0x5b || byte === 0x7b) depth += 1;
    else if (byte === 0x5d || byte === 0x7d) depth -= 1;
    if (depth > maxDepth) return true;
  }
  return false;
}
