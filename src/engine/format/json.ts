/**
 * Strict JSON for slots, entries, checkpoints and records: one *shape* says how a value is read and written. Reading
 * accepts exactly the fields of the shape, in any order; writing is canonical (repository format, section 10).
 */
import { DecodeError } from '../../core/binary.ts';
import { fromHex, toHex, utf8 } from '../../core/bytes.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** `at` is the path of the value, for messages. `decode` throws only `DecodeError`. */
export interface Shape<T> {
  decode(value: unknown, at: string): T;
  encode(value: T): Json;
}

/** @param limit in bytes. @throws DecodeError for anything but JSON in valid UTF-8. */
export function parseJson(bytes: Uint8Array, limit: number): unknown {
  if (bytes.byteLength > limit) throw new DecodeError(`${String(bytes.byteLength)} bytes of JSON are over the limit`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as unknown;
  } catch (error) {
    throw new DecodeError('not JSON in UTF-8', { cause: error });
  }
}

/** No white space, keys in byte order. @throws RangeError for a text that has no UTF-8 form, or a number that is not whole. */
export function canonicalJson(value: Json): Uint8Array {
  return utf8(canonicalText(value));
}

function canonicalText(value: Json): string {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${String(value)} is not a whole number`);
    return String(value);
  }
  if (typeof value === 'string') {
    if (/\p{Surrogate}/u.test(value)) throw new RangeError('a text is not valid Unicode');
    return JSON.stringify(value);
  }
  if (value === null || typeof value === 'boolean') return String(value);
  if (isList(value)) return `[${value.map(canonicalText).join(',')}]`;
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalText(field)}`).join(',')}}`;
}

// `Array.isArray` does not narrow readonly arrays.
function isList(value: readonly Json[] | { readonly [key: string]: Json }): value is readonly Json[] {
  return Array.isArray(value);
}

function expected(what: string, at: string): DecodeError {
  return new DecodeError(`${at} is not ${what}`);
}

/** Text of at most `limit` bytes in UTF-8. */
export function text(limit: number): Shape<string> {
  return {
    decode(value, at) {
      if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) throw expected('a text', at);
      if (Buffer.byteLength(value) > limit) throw expected(`at most ${String(limit)} bytes`, at);
      return value;
    },
    encode: (value) => value,
  };
}

/** A whole number in the range, both ends included. */
export function integer(least: number, most: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return {
    decode(value, at) {
      if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw expected('a whole number', at);
      const number = Number(value);
      if (number < least || number > most) throw expected(`between ${String(least)} and ${String(most)}`, at);
      return number;
    },
    encode: (value) => value,
  };
}

export const flag: Shape<boolean> = {
  decode(value, at) {
    if (typeof value !== 'boolean') throw expected('true or false', at);
    return value;
  },
  encode: (value) => value,
};

/** One of the given texts or numbers. */
export function oneOf<const T extends string | number>(...values: readonly T[]): Shape<T> {
  return {
    decode(value, at) {
      const found = values.find((candidate) => candidate === value);
      if (found === undefined) throw expected(`one of ${values.join(', ')}`, at);
      return found;
    },
    encode: (value) => value,
  };
}

/** Bytes as lower-case hex. @param most defaults to `least`: exactly that many bytes. */
export function hexBytes(least: number, most: number = least): Shape<Uint8Array> {
  return {
    decode(value, at) {
      if (typeof value !== 'string' || value.length > most * 2) throw expected('hex of the right length', at);
      try {
        const bytes = fromHex(value);
        if (bytes.byteLength >= least) return bytes;
      } catch {
        // told below
      }
      throw expected('hex of the right length', at);
    },
    encode: toHex,
  };
}

/** A hex identifier with its checking constructor. */
export function id<T extends string>(make: (text: string) => T): Shape<T> {
  return {
    decode(value, at) {
      if (typeof value !== 'string') throw expected('an identifier', at);
      try {
        return make(value);
      } catch (error) {
        throw new DecodeError(`${at} is not an identifier of the right kind`, { cause: error });
      }
    },
    encode: (value) => value,
  };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return {
    decode: (value, at) => (value === null ? null : shape.decode(value, at)),
    encode: (value) => (value === null ? null : shape.encode(value)),
  };
}

export function list<T>(shape: Shape<T>, limit: number): Shape<readonly T[]> {
  return {
    decode(value, at) {
      if (!Array.isArray(value) || value.length > limit) throw expected(`a list of at most ${String(limit)}`, at);
      return value.map((item: unknown, index) => shape.decode(item, `${at}[${String(index)}]`));
    },
    encode: (values) => values.map((value) => shape.encode(value)),
  };
}

type Tuple = readonly unknown[];

/** A list of exactly these. */
export function tuple<const T extends Tuple>(...shapes: { readonly [K in keyof T]: Shape<T[K]> }): Shape<T> {
  const all = shapes as readonly Shape<unknown>[];
  return {
    decode(value, at) {
      if (!Array.isArray(value) || value.length !== all.length) throw expected(`a list of ${String(all.length)}`, at);
      return all.map((shape, index) => shape.decode(value[index], `${at}[${String(index)}]`)) as unknown as T;
    },
    encode: (value) => all.map((shape, index) => shape.encode(value[index])),
  };
}

/** An object with exactly these fields. */
export function record<T extends object>(fields: { readonly [K in keyof T]: Shape<T[K]> }): Shape<T> {
  const all = Object.entries(fields) as readonly (readonly [string, Shape<unknown>])[];
  return {
    decode(value, at) {
      if (!isObject(value)) throw expected('an object', at);
      const known = new Set(all.map(([name]) => name));
      const stranger = Object.keys(value).find((name) => !known.has(name));
      if (stranger !== undefined) throw new DecodeError(`${at} has an unknown field ${JSON.stringify(stranger)}`);
      return Object.fromEntries(all.map(([name, shape]) => [name, shape.decode(value[name], `${at}.${name}`)])) as T;
    },
    encode(value) {
      const source = value as Readonly<Record<string, unknown>>;
      return Object.fromEntries(all.map(([name, shape]) => [name, shape.encode(source[name])]));
    },
  };
}

/** The same, refused when `problem` names one. */
export function checked<T>(shape: Shape<T>, problem: (value: T) => string | undefined): Shape<T> {
  return {
    decode(value, at) {
      const decoded = shape.decode(value, at);
      const found = problem(decoded);
      if (found !== undefined) throw new DecodeError(`${at} ${found}`);
      return decoded;
    },
    encode: (value) => shape.encode(value),
  };
}

/** The same JSON as another value. */
export function mapped<A, B>(shape: Shape<A>, to: (value: A) => B, from: (value: B) => A): Shape<B> {
  return {
    decode: (value, at) => to(shape.decode(value, at)),
    encode: (value) => shape.encode(from(value)),
  };
}

/** An object whose field `tag` says which shape it has. */
export function tagged<Tag extends string, T extends Readonly<Record<Tag, string>>>(
  tag: Tag,
  shapes: { readonly [K in T[Tag]]: Shape<Extract<T, Readonly<Record<Tag, K>>>> },
): Shape<T> {
  const all = new Map(Object.entries(shapes) as (readonly [string, Shape<T>])[]);
  return {
    decode(value, at) {
      const name = isObject(value) ? value[tag] : undefined;
      const shape = typeof name === 'string' ? all.get(name) : undefined;
      if (shape === undefined) throw expected(`a known ${tag}`, `${at}.${tag}`);
      return shape.decode(value, at);
    },
    encode(value) {
      const shape = all.get(value[tag]);
      if (shape === undefined) throw new RangeError(`unknown ${tag} ${value[tag]}`);
      return shape.encode(value);
    },
  };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
