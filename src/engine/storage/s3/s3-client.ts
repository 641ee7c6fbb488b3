import { createHash } from 'node:crypto';
import type * as s3Module from '@aws-sdk/client-s3';
import { Secret } from '../../../core/secret.ts';
import type { S3Settings } from './s3-options.ts';

/** The SDK's module; loaded at the first request, because it takes 100 ms and 20 MB. */
export type S3Module = typeof s3Module;

export interface LoadedClient {
  readonly sdk: S3Module;
  readonly client: s3Module.S3Client;
}

/** Called with the Date header of every answer, errors included: the store's time in milliseconds. */
export type SeenTime = (storeMs: number) => void;

/** What the middleware reads of a request or an answer. */
interface HttpMessage {
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * A client with the settings that all known servers accept: path style; no checksum headers but where S3 demands them;
 * one attempt; a time-out without progress instead of one for the whole request. `socketTimeoutMs` 0: the caller
 * watches progress himself.
 */
export async function loadClient(settings: S3Settings, socketTimeoutMs: number, seen: SeenTime): Promise<LoadedClient> {
  // The SDK announces on the process's standard error which Node its later versions need; ours is pinned.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const [sdk, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@smithy/node-http-handler'),
  ]);
  const client = new sdk.S3Client({
    endpoint: settings.endpoint.href,
    region: settings.region,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 1,
    followRegionRedirects: false,
    logger: silent,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: settings.connectTimeoutMs,
      socketTimeout: socketTimeoutMs,
      throwOnRequestTimeout: true,
    }),
    // Asked for at each signature, so that the secret is no field of any object in between.
    credentials: () =>
      Promise.resolve({ accessKeyId: revealed(settings.accessKey), secretAccessKey: settings.secretKey.reveal() }),
  });
  addMd5ToMultiDelete(client);
  watchTime(client, seen);
  return { sdk, client };
}

/**
 * DeleteObjects carries CRC32 even with WHEN_REQUIRED (aws/aws-sdk-js-v3#6819) and no Content-MD5, which Swift, older
 * MinIO and others demand.
 */
function addMd5ToMultiDelete(client: s3Module.S3Client): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      const request = args.request as HttpMessage;
      if (context['commandName'] === 'DeleteObjectsCommand') {
        for (const name of Object.keys(request.headers)) {
          if (/^x-amz-.*checksum/i.test(name)) Reflect.deleteProperty(request.headers, name);
        }
        request.headers['content-md5'] = createHash('md5').update(bodyBytes(request.body)).digest('base64');
      }
      return next(args);
    },
    { step: 'build', priority: 'low', name: 'nesteggMultiDeleteMd5' },
  );
}

function watchTime(client: s3Module.S3Client, seen: SeenTime): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const storeMs = Date.parse((result.response as Partial<HttpMessage>).headers?.['date'] ?? '');
      if (!Number.isNaN(storeMs)) seen(storeMs);
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'nesteggStoreTime' },
  );
}

function bodyBytes(body: unknown): string | Uint8Array {
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  throw new TypeError('the body of DeleteObjects is neither text nor bytes');
}

function revealed(key: string | Secret): string {
  return key instanceof Secret ? key.reveal() : key;
}

function ignore(): void {
  return undefined;
}
