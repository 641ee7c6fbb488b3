import { StorageError } from '../../../core/errors.ts';
import type { PageOptions, RawPage, S3Raw } from './s3-raw.ts';

/**
 * All pages of a listing. `IsTruncated` alone says whether there is another: s3d may send a token with the last page.
 * @throws StorageError `storage.corrupt` for a listing that cannot be complete: truncated without a way to go on, going
 * round in circles, or with keys of somewhere else.
 */
export async function* pages(raw: S3Raw, options: Omit<PageOptions, 'token'>): AsyncGenerator<RawPage> {
  let token: string | undefined;
  for (;;) {
    const page = await raw.page({ ...options, token });
    const strange = [...page.objects.map((object) => object.key), ...page.prefixes].find(
      (key) => !key.startsWith(options.prefix),
    );
    if (strange !== undefined) throw broken(options.prefix, 'has keys of another prefix');
    yield page;
    if (!page.isTruncated) return;
    if (page.nextToken === undefined || page.nextToken === '') throw broken(options.prefix, 'breaks off');
    if (page.nextToken === token) throw broken(options.prefix, 'goes round in circles');
    token = page.nextToken;
  }
}

function broken(prefix: string, what: string): StorageError {
  return new StorageError('storage.corrupt', `listing ${prefix}: the list of the store ${what}`, {
    retry: 'later',
    context: { operation: 'ListObjectsV2', subject: prefix },
  });
}
