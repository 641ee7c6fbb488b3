import type { FaultScript } from './faults.ts';

export type ProfileName = 'aws' | 'renterd' | 's3d' | 'b2' | 'gcs' | 'swift' | 'flaky';

/** Lasting differences between S3 servers. The `aws` value of each is the documented behaviour of Amazon S3. */
export interface Quirks {
  /** `If-None-Match: *` and `If-Match` on PUT: obeyed (412), taken as a plain PUT (200), or 501. */
  readonly conditions: 'enforced' | 'ignored' | 'refused';
  /** Status of a successful range request. */
  readonly rangeStatus: 200 | 206;
  readonly suffixRange: 'served' | 'refused';
  /** A range whose end lies past the end of the object: cut off at the end, or 500. */
  readonly rangePastEnd: 'clipped' | 'failed';
  readonly deleteMissing: 'success' | 'failed';
  /** `STREAMING-UNSIGNED-PAYLOAD-TRAILER`, what the SDK sends for streams by default. */
  readonly trailerPayload: 'decoded' | 'forbidden' | 'refused';
  /** Code of the 403 for a wrong key or signature. */
  readonly badSignature: 'SignatureDoesNotMatch' | 'AccessDenied';
  readonly delimiter: 'any' | 'slash';
  /** `PUT key?retention` and other unknown sub-resources: 501, or the object's bytes become the XML. */
  readonly subResource: 'refused' | 'overwrites';
  /** A wrong Content-MD5: 400 BadDigest, or a 500 (renterd). */
  readonly wrongMd5: 'BadDigest' | 'InternalError';
  /** Whether the body is compared with `x-amz-content-sha256`. */
  readonly checksSha256: boolean;
  readonly multiDelete: 'served' | 'needs-md5' | 'absent';
  /** An exact last page carries a continuation token although it is not truncated. */
  readonly tokenOnLastPage: boolean;
  readonly maxSkewMs: number;
  /** PUT waits up to this long, body unread, while too much is pending; then 503 SlowDown. 0: never. */
  readonly stallWhenFullMs: number;
}

export type SiaGateway = 'renterd' | 's3d';

interface Profile {
  readonly quirks: Quirks;
  /** Which admin API, and how bytes leave the gateway. */
  readonly admin?: SiaGateway;
  /** Faults that strike from the start. */
  readonly faults?: readonly FaultScript[];
}

const aws: Quirks = {
  conditions: 'enforced',
  rangeStatus: 206,
  suffixRange: 'served',
  rangePastEnd: 'clipped',
  deleteMissing: 'success',
  trailerPayload: 'decoded',
  badSignature: 'SignatureDoesNotMatch',
  delimiter: 'any',
  subResource: 'refused',
  wrongMd5: 'BadDigest',
  checksSha256: true,
  multiDelete: 'served',
  tokenOnLastPage: false,
  maxSkewMs: 15 * 60_000,
  stallWhenFullMs: 0,
};

const renterd: Quirks = {
  ...aws,
  conditions: 'ignored',
  rangeStatus: 200,
  suffixRange: 'refused',
  rangePastEnd: 'failed',
  deleteMissing: 'failed',
  trailerPayload: 'forbidden',
  badSignature: 'AccessDenied',
  delimiter: 'slash',
  subResource: 'overwrites',
  wrongMd5: 'InternalError',
  checksSha256: false,
};

const s3d: Quirks = { ...aws, tokenOnLastPage: true, maxSkewMs: 5 * 60_000, stallWhenFullMs: 120_000 };

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  aws: { quirks: aws },
  renterd: { quirks: renterd, admin: 'renterd' },
  s3d: { quirks: s3d, admin: 's3d' },
  b2: { quirks: { ...aws, conditions: 'refused' } },
  gcs: { quirks: { ...aws, conditions: 'ignored', multiDelete: 'absent' } },
  swift: {
    quirks: {
      ...aws,
      conditions: 'refused',
      trailerPayload: 'refused',
      subResource: 'overwrites',
      multiDelete: 'needs-md5',
    },
  },
  flaky: {
    quirks: aws,
    faults: [
      { fault: { kind: 'status', status: 503, code: 'SlowDown', retryAfterSeconds: 1 }, every: 5 },
      { fault: { kind: 'cut', atByte: 100 }, operation: 'GetObject', every: 3 },
      { fault: { kind: 'fail-after-commit' }, operation: 'PutObject', every: 4 },
      { fault: { kind: 'reset' }, every: 11 },
    ],
  },
};
