import { systemClock, type Clock } from '../../../core/clock.ts';
import { UsageError } from '../../../core/errors.ts';
import type { Secret } from '../../../core/secret.ts';

/** Servers that differ in how long they may rightly be silent. */
export type S3Preset = 'generic' | 's3d' | 'renterd';

export interface S3Options {
  /** `https://s3.example.org` or `http://127.0.0.1:8080`, without bucket. */
  readonly endpoint: string;
  /** Default `us-east-1`, which servers without regions take. */
  readonly region?: string | undefined;
  readonly bucket: string;
  /** Before every key; a missing `/` at its end is added. */
  readonly prefix?: string | undefined;
  readonly accessKey: string | Secret;
  readonly secretKey: Secret;
  readonly preset?: S3Preset | undefined;
  /**
   * `If-None-Match: *` is obeyed on this very bucket. The probe finds that out, with true; everybody else says what the
   * probe found. Default false: servers that ignore it answer 200 and overwrite. One that refuses it is believed.
   */
  readonly conditionalPut?: boolean | undefined;
  /** See `StorageCapabilities`. Without it nobody knows, and nothing is ever deleted by maintenance. */
  readonly visibilityBoundMs?: number | undefined;
  /** False when the keys are known not to be allowed to delete. Default true. */
  readonly canDelete?: boolean | undefined;
  /** Default 40 MiB. */
  readonly packBytes?: number | undefined;
  /** Requests at once to begin with. Default 4. */
  readonly concurrency?: number | undefined;
  /** Default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** A request that moves no byte for this long has failed. Default by preset. */
  readonly noProgressMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** renterd sends three bytes to hosts for each it got before it answers; s3d may wait two minutes for room on its disk. */
const noProgressMs: Readonly<Record<S3Preset, number>> = { generic: 60_000, s3d: 180_000, renterd: 300_000 };

/** What the requests need of the options, checked and with all defaults filled in. */
export interface S3Settings {
  readonly endpoint: URL;
  readonly region: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly accessKey: string | Secret;
  readonly secretKey: Secret;
  readonly conditionalPut: boolean;
  readonly connectTimeoutMs: number;
  readonly noProgressMs: number;
  readonly clock: Clock;
}

/** @throws UsageError naming what is wrong. */
export function s3Settings(options: S3Options): S3Settings {
  const prefix = options.prefix ?? '';
  const withSlash = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  if (!/^([A-Za-z0-9._-]+\/)*$/.test(withSlash) || withSlash.length > 200) {
    throw new UsageError(`the prefix ${JSON.stringify(prefix)} cannot be used`, {
      hint: 'Use letters, digits, `.`, `_`, `-` and single `/`, at most 200 characters, without a `/` at the beginning.',
    });
  }
  if (options.bucket === '' || options.bucket.includes('/')) {
    throw new UsageError(`the bucket name ${JSON.stringify(options.bucket)} cannot be used`);
  }
  return {
    endpoint: endpointUrl(options.endpoint),
    region: options.region ?? 'us-east-1',
    bucket: options.bucket,
    prefix: withSlash,
    accessKey: options.accessKey,
    secretKey: options.secretKey,
    conditionalPut: options.conditionalPut ?? false,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    noProgressMs: options.noProgressMs ?? noProgressMs[options.preset ?? 'generic'],
    clock: options.clock ?? systemClock,
  };
}

function endpointUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const usable = url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:');
  if (!usable || url.username !== '' || url.search !== '' || url.pathname !== '/') {
    throw new UsageError(`${JSON.stringify(text)} is no S3 endpoint`, {
      hint: 'Write the address of the server alone, such as https://s3.example.org; the bucket and the keys have keys of their own.',
    });
  }
  return url;
}
