import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { asBuffer } from '../../../core/bytes.ts';
import { CancelledError } from '../../../core/errors.ts';
import { pacedPieces } from '../calls.ts';
import type { CallOptions } from '../storage.ts';
import { Progress } from './progress.ts';
import { readBody, wrongLength } from './read-body.ts';
import { loadClient, type LoadedClient } from './s3-client.ts';
import { type S3Call, storageError } from './s3-errors.ts';
import type { S3Settings } from './s3-options.ts';

export interface RawObject {
  readonly sizeBytes: number;
  /** Without quotes; '' when the store sent none. */
  readonly etag: string;
  readonly modifiedMs: number;
}

export interface RawRead {
  readonly bytes: Uint8Array;
  /** The Content-Range header. */
  readonly contentRange: string | undefined;
  /** The store announced a length, so the bytes are as many as it meant to send. */
  readonly lengthKnown: boolean;
}

export interface RawPage {
  readonly objects: readonly (RawObject & { readonly key: string })[];
  readonly prefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly nextToken: string | undefined;
}

export interface PutOptions extends CallOptions {
  readonly ifNoneMatch?: boolean;
  /** Base64; of the bytes by default. A probe sends a wrong one. */
  readonly contentMd5?: string;
}

export interface PageOptions extends CallOptions {
  readonly prefix: string;
  readonly delimiter?: '/' | undefined;
  readonly startAfter?: string | undefined;
  readonly token?: string | undefined;
  readonly maxKeys?: number | undefined;
}

/** Bytes of a paced body that are handed to the connection at once. */
const pieceBytes = 64 * 1024;

/**
 * One method, one S3 request, by full key; errors are `StorageError`s. Nothing is checked beyond what the request
 * itself shows and nothing is repeated: that is the business of `S3Storage` and of the probe.
 */
export class S3Raw {
  readonly settings: S3Settings;
  #steady: Promise<LoadedClient> | undefined;
  #paced: Promise<LoadedClient> | undefined;
  #storeMs: number | undefined;

  constructor(settings: S3Settings) {
    this.settings = settings;
  }

  /** @returns the ETag. */
  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<string> {
    const ContentMD5 = options.contentMd5 ?? createHash('md5').update(bytes).digest('base64');
    return this.#run({ operation: 'PutObject', subject: key }, options, async ({ sdk, client }, abortSignal, pace) => {
      const Body = pace ? Readable.from(pacedPieces(bytes, pace, pieceBytes), { objectMode: false }) : asBuffer(bytes);
      const command = new sdk.PutObjectCommand({
        ...this.#at(key),
        Body,
        ContentLength: bytes.byteLength,
        ContentType: 'application/octet-stream',
        ContentMD5,
        ...(options.ifNoneMatch === true ? { IfNoneMatch: '*' } : {}),
      });
      try {
        return unquoted((await client.send(command, { abortSignal })).ETag);
      } finally {
        // A server may answer before it has the whole body.
        if (Body instanceof Readable) Body.destroy();
      }
    });
  }

  /** `range`: the value of the Range header, such as `bytes=0-9`. */
  async get(key: string, options: CallOptions & { readonly range?: string } = {}): Promise<RawRead> {
    const call = { operation: 'GetObject', subject: key };
    return this.#run(call, options, async ({ sdk, client }, abortSignal, pace) => {
      const Range = options.range;
      const command = new sdk.GetObjectCommand({ ...this.#at(key), ...(Range === undefined ? {} : { Range }) });
      const answer = await client.send(command, { abortSignal });
      const bytes = await readBody(call, answer.Body, answer.ContentLength, pace);
      return { bytes, contentRange: answer.ContentRange, lengthKnown: answer.ContentLength !== undefined };
    });
  }

  /** `undefined`: 404, of the object or of the bucket. */
  async head(key: string, options: CallOptions = {}): Promise<RawObject | undefined> {
    const call = { operation: 'HeadObject', subject: key };
    return this.#run(call, options, async ({ sdk, client }, abortSignal) => {
      try {
        const answer = await client.send(new sdk.HeadObjectCommand(this.#at(key)), { abortSignal });
        if (answer.ContentLength === undefined) throw wrongLength(call, 'does not tell the size', 'later');
        return rawObject(answer.ContentLength, answer.ETag, answer.LastModified);
      } catch (error) {
        if (error instanceof sdk.S3ServiceException && error.$metadata.httpStatusCode === 404) return undefined;
        throw error;
      }
    });
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    await this.#run({ operation: 'DeleteObject', subject: key }, options, ({ sdk, client }, abortSignal) =>
      client.send(new sdk.DeleteObjectCommand(this.#at(key)), { abortSignal }),
    );
  }

  /** At most 1000 keys. @returns the keys that the store did not delete. */
  async deleteMany(keys: readonly string[], options: CallOptions = {}): Promise<readonly string[]> {
    const call = { operation: 'DeleteObjects', subject: `${String(keys.length)} objects` };
    return this.#run(call, options, async ({ sdk, client }, abortSignal) => {
      const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
      const command = new sdk.DeleteObjectsCommand({ Bucket: this.settings.bucket, Delete });
      const { Errors = [] } = await client.send(command, { abortSignal });
      return Errors.map((error) => error.Key ?? '');
    });
  }

  async page(options: PageOptions): Promise<RawPage> {
    const { prefix, delimiter, startAfter, token, maxKeys } = options;
    return this.#run({ operation: 'ListObjectsV2', subject: prefix }, options, async ({ sdk, client }, abortSignal) => {
      const command = new sdk.ListObjectsV2Command({
        Bucket: this.settings.bucket,
        Prefix: prefix,
        ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
        ...(startAfter === undefined ? {} : { StartAfter: startAfter }),
        ...(token === undefined ? {} : { ContinuationToken: token }),
        ...(maxKeys === undefined ? {} : { MaxKeys: maxKeys }),
      });
      const answer = await client.send(command, { abortSignal });
      return {
        objects: (answer.Contents ?? []).map((object) => ({
          key: object.Key ?? '',
          ...rawObject(object.Size, object.ETag, object.LastModified),
        })),
        prefixes: (answer.CommonPrefixes ?? []).map((common) => common.Prefix ?? ''),
        isTruncated: answer.IsTruncated === true,
        nextToken: answer.NextContinuationToken,
      };
    });
  }

  /** @throws StorageError `storage.not-found` when there is no such bucket. */
  async headBucket(options: CallOptions = {}): Promise<void> {
    await this.#run(
      { operation: 'HeadBucket', subject: this.settings.bucket },
      options,
      ({ sdk, client }, abortSignal) =>
        client.send(new sdk.HeadBucketCommand({ Bucket: this.settings.bucket }), { abortSignal }),
    );
  }

  /** The Date header of the newest answer, in milliseconds, to the second. */
  get storeMs(): number | undefined {
    return this.#storeMs;
  }

  async close(): Promise<void> {
    const loaded = await Promise.all([this.#steady, this.#paced]);
    for (const each of loaded) each?.client.destroy();
  }

  async #run<T>(
    call: S3Call,
    { signal, pace }: CallOptions,
    work: (loaded: LoadedClient, signal: AbortSignal, pace: CallOptions['pace']) => Promise<T>,
  ): Promise<T> {
    try {
      if (signal?.aborted === true) throw new CancelledError(undefined, { cause: signal.reason });
      if (pace === undefined)
        return await work(await this.#load('steady'), signal ?? new AbortController().signal, undefined);
      const loaded = await this.#load('paced');
      const progress = new Progress(this.settings.clock, this.settings.noProgressMs);
      return await progress.watch(signal, (watched) => work(loaded, watched, progress.paced(pace)));
    } catch (error) {
      if (signal?.aborted === true) throw new CancelledError(undefined, { cause: error });
      throw storageError(call, error);
    }
  }

  #load(kind: 'steady' | 'paced'): Promise<LoadedClient> {
    const seen = (storeMs: number): void => {
      this.#storeMs = storeMs;
    };
    if (kind === 'paced') return (this.#paced ??= loadClient(this.settings, 0, seen));
    return (this.#steady ??= loadClient(this.settings, this.settings.noProgressMs, seen));
  }

  #at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.settings.bucket, Key: key };
  }
}

function rawObject(size: number | undefined, etag: string | undefined, modified: Date | undefined): RawObject {
  return { sizeBytes: size ?? 0, etag: unquoted(etag), modifiedMs: modified?.getTime() ?? 0 };
}

function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}
