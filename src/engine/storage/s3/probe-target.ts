import { StorageError } from '../../../core/errors.ts';
import { asBuffer } from '../../../core/bytes.ts';
import type { ProbeTarget } from '../probe.ts';
import type { CallOptions } from '../storage.ts';
import { pages } from './pages.ts';
import type { S3Storage } from './s3-storage.ts';

/** Writers that race for one name. */
const racers = 4;

/** What the server itself does, past the care that `S3Storage` takes. */
export function s3ProbeTarget(storage: S3Storage): ProbeTarget {
  const { raw } = storage;
  const refuses = async (put: Promise<unknown>): Promise<boolean> => {
    try {
      await put;
      return false;
    } catch (error) {
      // Whatever was the reason, the bytes were not taken; only being out of reach says nothing about it.
      if (error instanceof StorageError && error.context['status'] !== undefined) return true;
      throw error;
    }
  };
  const created = async (name: string, bytes: Uint8Array, options: CallOptions): Promise<boolean> => {
    try {
      await raw.put(storage.key(name), bytes, { ...options, ifNoneMatch: true });
      return true;
    } catch (error) {
      // 409: another one is at it; both are the way of a server that does obey.
      const status = error instanceof StorageError ? error.context['status'] : undefined;
      if (status === 412 || status === 409) return false;
      throw error;
    }
  };
  return {
    refusesWrongChecksum: (name, bytes, options = {}) => {
      const contentMd5 = asBuffer(new Uint8Array(16)).toString('base64');
      return refuses(raw.put(storage.key(name), bytes, { ...options, contentMd5 }));
    },
    refusesOverwrite: async (name, bytes, options = {}) => {
      try {
        if (await created(name, bytes, options)) return false;
        // Some servers look first and store later: of several at once exactly one must win.
        const race = `${name}.race`;
        const wins = await Promise.all(
          Array.from({ length: racers }, (_value, at) => created(race, bytes.subarray(at), options)),
        );
        await storage.delete(race, options).catch(ignoreRefusal);
        return wins.filter(Boolean).length === 1;
      } catch (error) {
        // 501, or a 5xx: not supported.
        if (error instanceof StorageError && error.context['status'] !== undefined) return false;
        throw error;
      }
    },
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

/** A store that does not delete keeps one more small object below `probe/`. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof StorageError)) throw error;
}
