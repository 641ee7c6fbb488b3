/**
 * # Sia
 *
 * Words: a *gateway* is renterd or s3d: an S3 server that stores on the Sia network. A *slab* is what it uploads at once:
 * `minShards` sectors of 4 MiB of data, 40 MiB on mainnet. An object is *pending* while its bytes are on the gateway's
 * own disk alone; a 200 to its PUT says nothing about that.
 *
 * Invariants: objects travel by S3, with all its care; where they are is asked of the gateway's admin API and never
 * guessed. What has not demonstrably left the gateway is pending, a missing object too. Packs are whole slabs, so that
 * a commit waits for nobody else's data and a deleted pack frees whole slabs.
 */
import type { Secret } from '../../../core/secret.ts';
import { decorate } from '../calls.ts';
import type { S3Options } from '../s3/s3-options.ts';
import { s3Storage } from '../s3/s3-storage.ts';
import type { CallOptions, Storage } from '../storage.ts';
import { detectGateway, refuseWeakRedundancy, type SiaGateway } from './detect.ts';
import { type FlushMemory, processFlushMemory } from './flush-memory.ts';
import { GatewayApi } from './gateway-api.ts';
import { RenterdObjects } from './renterd.ts';
import { S3dObjects } from './s3d.ts';

export interface SiaOptions extends Pick<
  S3Options,
  | 'endpoint'
  | 'bucket'
  | 'prefix'
  | 'accessKey'
  | 'secretKey'
  | 'conditionalPut'
  | 'canDelete'
  | 'concurrency'
  | 'connectTimeoutMs'
  | 'noProgressMs'
  | 'clock'
> {
  readonly gateway: {
    /** Admin API: `http://127.0.0.1:9980` (renterd), `http://127.0.0.1:8001` (s3d). */
    readonly api: string;
    readonly password: Secret;
  };
  /** s3d: shortest time between two flushes. Default 6 h. */
  readonly offsiteEveryMs?: number | undefined;
  /** s3d: how long one flush may take. Default 2 h. */
  readonly flushTimeoutMs?: number | undefined;
  /** s3d: where the time of the last flush is kept. Default: in this process. */
  readonly flushMemory?: FlushMemory | undefined;
  /** Test networks and few hosts are refused otherwise. */
  readonly allowWeakRedundancy?: boolean | undefined;
}

export interface SiaStorage extends Storage {
  readonly gateway: SiaGateway;
  readonly api: GatewayApi;
  /** The store below, for the probe. */
  readonly s3: ReturnType<typeof s3Storage>;
}

/**
 * Asks the gateway what it is, in one to two requests.
 * @throws StorageError `storage.refused` for a wrong API password, `storage.unsupported` for something that is no Sia
 * gateway or too weak, `storage.unavailable` (later) when it cannot be reached. UsageError for impossible options.
 */
export async function openSiaStorage(options: SiaOptions, call: CallOptions = {}): Promise<SiaStorage> {
  const { clock } = options;
  const api = new GatewayApi({ ...options.gateway, clock });
  const gateway = await detectGateway(api, call);
  if (options.allowWeakRedundancy !== true) refuseWeakRedundancy(gateway);
  const s3 = s3Storage({ ...options, preset: gateway.kind, packBytes: gateway.slabBytes });
  const objects = objectsOf(gateway, api, s3, options);
  const own: Partial<Storage> = {
    location: s3.location.replace(/^s3:/, 'sia:'),
    get capabilities() {
      return {
        ...s3.capabilities,
        // One database holds all names, and every answer comes from it.
        visibilityBoundMs: 0,
        slabBytes: gateway.slabBytes,
        costlyBarrier: gateway.kind === 's3d',
      };
    },
    barrier: (names, each = {}) => objects.barrier(names, each),
    pending: (names, each = {}) => objects.pending(names, each),
  };
  const storage = decorate(s3, (_call, run, each) => run(each), own);
  return Object.assign(storage, { gateway, api, s3 });
}

function objectsOf(
  gateway: SiaGateway,
  api: GatewayApi,
  s3: ReturnType<typeof s3Storage>,
  options: SiaOptions,
): RenterdObjects | S3dObjects {
  if (gateway.kind === 'renterd') return new RenterdObjects(api, s3, gateway.slabBytes);
  return new S3dObjects(api, s3, {
    everyMs: options.offsiteEveryMs ?? 6 * 3_600_000,
    flushTimeoutMs: options.flushTimeoutMs ?? 2 * 3_600_000,
    memory: options.flushMemory ?? processFlushMemory(),
    clock: options.clock,
  });
}
