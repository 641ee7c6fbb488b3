import { S3Client, type S3ServiceException } from '@aws-sdk/client-s3';
import { expect } from 'vitest';
import type { Gateway } from './gateway.ts';

/** The AWS SDK as it comes, but for the address, the keys and one attempt; `required`: checksums only where S3 demands them. */
export function sdkClient(
  gateway: Pick<Gateway, 'url' | 'accessKey' | 'secretKey'>,
  checksums: 'default' | 'required' = 'required',
): S3Client {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const mode = checksums === 'default' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED';
  return new S3Client({
    endpoint: gateway.url,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    requestChecksumCalculation: mode,
    responseChecksumValidation: mode,
    credentials: { accessKeyId: gateway.accessKey, secretAccessKey: gateway.secretKey },
  });
}

/** The status and the S3 code of a request that must fail. */
export async function failureOf(work: Promise<unknown>): Promise<{ readonly status: number; readonly code: string }> {
  const error = await work.then(
    () => expect.fail('the request should have failed'),
    (thrown: unknown) => thrown as S3ServiceException,
  );
  return { status: error.$metadata.httpStatusCode ?? 0, code: error.name };
}
