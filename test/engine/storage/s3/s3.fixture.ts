import { systemClock, type Clock } from '../../../../src/core/clock.ts';
import { Secret } from '../../../../src/core/secret.ts';
import type { S3Options } from '../../../../src/engine/storage/s3/s3-options.ts';
import { s3Storage, type S3Storage } from '../../../../src/engine/storage/s3/s3-storage.ts';
import type { Gateway } from '../../../support/gateway/gateway.ts';

/** Our store on a simulated gateway. */
export function storeOn(gateway: Gateway, options: Partial<S3Options> = {}): S3Storage {
  return s3Storage({
    endpoint: gateway.url,
    bucket: gateway.bucket,
    prefix: 'pbs1',
    accessKey: gateway.accessKey,
    secretKey: new Secret(gateway.secretKey),
    ...options,
  });
}

/** Real time, in which nobody waits. */
export const hastyClock: Clock = { ...systemClock, sleep: () => Promise.resolve() };
