import { checkSignal, decorate } from './calls.ts';
import type { CallOptions, Storage } from './storage.ts';
import type { TokenBucket } from './token-bucket.ts';

export interface ThrottleOptions {
  /** Shared by all storages that share the line; their rates may be changed at any time. */
  readonly upload: TokenBucket;
  readonly download: TokenBucket;
}

/** Bodies of objects flow at the rates of the buckets. Requests without a body, and listings, are not counted. */
export function withThrottle(storage: Storage, { upload, download }: ThrottleOptions): Storage {
  return decorate(storage, (call, run, options) => {
    if (call.operation === 'put') return run(paced(upload, options));
    if (call.operation === 'get' || call.operation === 'getRange') return run(paced(download, options));
    return run(options);
  });
}

function paced(bucket: TokenBucket, options: CallOptions): CallOptions {
  const { signal, pace } = options;
  return {
    signal,
    pace: async (wantedBytes) => {
      checkSignal(signal);
      // A narrower pace from outside goes first: what it allows is then taken whole, or less of it.
      const wanted = pace ? await pace(wantedBytes) : wantedBytes;
      let taken = 0;
      do taken += await bucket.take(wanted - taken, signal);
      while (pace && taken < wanted);
      return taken;
    },
  };
}
