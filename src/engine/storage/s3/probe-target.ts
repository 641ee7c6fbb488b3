import { StorageError } from '../../../core/errors.ts';
import { asBuffer } from '../../../core/bytes.ts';
import type { ProbeTarget } from '../probe.ts';
import { pages } from './pages.ts';
import type { S3Storage } from './s3-storage.ts';

/** What the server itself does, past the care that `S3Storage` takes. */
export function s3ProbeTarget(storage: S3Storage): ProbeTarget {
  const { raw } = storage;
  const refuses = async (put: Promise<unknown>, statuses?: readonly number[]): Promise<boolean> => {
    try {
      await put;
      return false;
    } catch (error) {
      const status = error instanceof StorageError ? error.context['status'] : undefined;
      // Being out of reach says nothing about it.
      if (typeof status !== 'number') throw error;
      return statuses?.includes(status) ?? true;
    }
  };
  return {
    refusesWrongChecksum: (name, bytes, options = {}) => {
      const contentMd5 = asBuffer(new Uint8Array(16)).toString('base64');
      return refuses(raw.put(storage.key(name), bytes, { ...options, contentMd5 }));
    },
    refusesOverwrite: (name, bytes, options = {}) =>
      refuses(raw.put(storage.key(name), bytes, { ...options, ifNoneMatch: true }), [412, 409]),
    listPaged: async (prefix, pageSize, options = {}) => {
      const start = storage.key(`${prefix}x`).slice(0, -1);
      const names: string[] = [];
      for await (const page of pages(raw, { ...options, prefix: start, maxKeys: pageSize })) {
        for (const { key } of page.objects) names.push(prefix + key.slice(start.length));
      }
      return names;
    },
  };
}
