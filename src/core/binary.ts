/**
 * A bounds-checked cursor over bytes, and its opposite. All integers are little-endian. Every length is checked
 * against what is left before anything is allocated, so that a hostile length can never ask for memory.
 */

/** What a decoder throws: the caller wraps it with what was being read. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export class BinaryReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.byteLength - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** An unsigned 64-bit integer that fits a safe integer. @throws DecodeError when it does not. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new DecodeError('integer too large');
    return Number(value);
  }

  i64(): number {
    const value = this.#view.getBigInt64(this.#take(8), true);
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new DecodeError('integer too large');
    return number;
  }

  /** The next `length` bytes as a view of the source. */
  view(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** The next `length` bytes as a copy that outlives the source. */
  copy(length: number): Uint8Array {
    return new Uint8Array(this.view(length)); // `slice` of a Buffer would not copy
  }

  /** A u32 length, at most `limit`, then that many bytes (a view). */
  sized(limit: number): Uint8Array {
    const length = this.u32();
    if (length > limit) throw new DecodeError(`length ${String(length)} over the limit of ${String(limit)}`);
    return this.view(length);
  }

  /** A u32 length, at most `limit`, then UTF-8. @throws DecodeError for invalid UTF-8. */
  text(limit: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.sized(limit));
    } catch (error) {
      if (error instanceof DecodeError) throw error;
      throw new DecodeError('invalid UTF-8');
    }
  }

  /** A u32 count, refused when `count * minimumBytes` cannot be in what is left. */
  count(minimumBytes: number, limit: number): number {
    const count = this.u32();
    if (count > limit || count * minimumBytes > this.remaining)
      throw new DecodeError(`count ${String(count)} is impossible`);
    return count;
  }

  /** @throws DecodeError unless everything was read. */
  end(): void {
    if (this.remaining !== 0) throw new DecodeError(`${String(this.remaining)} bytes too many`);
  }

  #take(length: number): number {
    if (length > this.remaining) throw new DecodeError('cut short');
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

/** Grows as needed; `finish` returns a copy of exactly what was written. */
export class BinaryWriter {
  #buffer: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(capacityBytes = 256) {
    this.#buffer = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get length(): number {
    return this.#at;
  }

  u8(value: number): this {
    this.#view.setUint8(this.#room(1), value);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: number): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  i64(value: number): this {
    const at = this.#room(8);
    this.#view.setBigInt64(at, BigInt(value), true);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.byteLength);
    this.#buffer.set(bytes, at);
    return this;
  }

  sized(bytes: Uint8Array): this {
    return this.u32(bytes.byteLength).raw(bytes);
  }

  text(value: string): this {
    return this.sized(Buffer.from(value, 'utf8'));
  }

  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#at);
  }

  #room(length: number): number {
    const needed = this.#at + length;
    if (needed > this.#buffer.byteLength) {
      const grown = new Uint8Array(Math.max(needed, this.#buffer.byteLength * 2));
      grown.set(this.#buffer.subarray(0, this.#at));
      this.#buffer = grown;
      this.#view = new DataView(grown.buffer);
    }
    const at = this.#at;
    this.#at = needed;
    return at;
  }
}
