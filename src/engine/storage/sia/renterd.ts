import { StorageError } from '../../../core/errors.ts';
import { Questions } from '../s3/at-once.ts';
import type { S3Storage } from '../s3/s3-storage.ts';
import type { CallOptions, ObjectName } from '../storage.ts';
import { notFound } from '../store-errors.ts';
import type { GatewayApi } from './gateway-api.ts';
import { field, integer, list } from './json.ts';

/** Where the bytes of one object are. */
interface Whereabouts {
  readonly name: ObjectName;
  readonly sizeBytes: number;
  /** Every slab of it is on enough hosts to be read from there. */
  readonly onHosts: boolean;
}

/**
 * Which objects are on hosts, as renterd's bus tells slab by slab: a slab without shards is a file on the gateway. Health
 * says nothing here, buffered data reports 1.
 */
export class RenterdObjects {
  readonly #api: GatewayApi;
  readonly #s3: S3Storage;
  readonly #slabBytes: number;
  readonly #places: Questions<Whereabouts | 'missing'>;

  constructor(api: GatewayApi, s3: S3Storage, slabBytes: number) {
    this.#api = api;
    this.#s3 = s3;
    this.#slabBytes = slabBytes;
    this.#places = new Questions(
      s3.capabilities.concurrency,
      (name, signal) => this.#locate(name, signal),
      // What is on hosts stays there; all else may change.
      (place) => place !== 'missing' && place.onHosts,
    );
  }

  /**
   * Full slabs reach hosts before their PUT returns, so objects of whole slabs must be there. The rest waits in a buffer
   * until others fill it, for days perhaps: no commit may wait for that, and `pending` tells the truth about it.
   * @throws StorageError `storage.unavailable` (later) while whole slabs are on the gateway alone; `storage.not-found`.
   */
  async barrier(names: readonly ObjectName[], options: CallOptions): Promise<void> {
    const waiting: ObjectName[] = [];
    for (const [at, place] of (await this.#places.all(names, options.signal)).entries()) {
      if (place === 'missing') throw notFound(names[at] ?? '');
      if (place.sizeBytes % this.#slabBytes === 0 && !place.onHosts) waiting.push(place.name);
    }
    if (waiting.length === 0) return;
    throw new StorageError(
      'storage.unavailable',
      `${String(waiting.length)} of ${String(names.length)} objects have not reached the hosts yet, the first is ${waiting[0] ?? ''}`,
      {
        retry: 'later',
        hint: 'Check the contracts and the wallet of renterd: whole slabs should be on hosts at once.',
        context: { object: waiting[0], waiting: waiting.length },
      },
    );
  }

  /** A missing object has not demonstrably left the gateway either. */
  async pending(names: readonly ObjectName[], options: CallOptions): Promise<readonly ObjectName[]> {
    const places = await this.#places.all(names, options.signal);
    return names.filter((_name, at) => {
      const place = places[at];
      return place === undefined || place === 'missing' || !place.onHosts;
    });
  }

  async #locate(name: ObjectName, signal: AbortSignal | undefined): Promise<Whereabouts | 'missing'> {
    const bucket = encodeURIComponent(this.#s3.raw.settings.bucket);
    const path = `/api/bus/object/${encodeURI(this.#s3.key(name))}?bucket=${bucket}`;
    const { status, json } = await this.#api.ask(path, { signal });
    if (status === 404) return 'missing';
    const sizeBytes = integer(field(json, 'size'));
    if (status !== 200 || sizeBytes === undefined) throw unreadable(name, status);
    return { name, sizeBytes, onHosts: coversObject(list(field(json, 'slabs')) ?? [], sizeBytes) };
  }
}

/** Every byte of the object lies in a slab of which at least `minShards` shards have a contract. */
function coversObject(slabs: readonly unknown[], sizeBytes: number): boolean {
  let covered = 0;
  for (const slice of slabs) {
    const minShards = integer(field(slice, 'slab', 'minShards')) ?? Infinity;
    const shards = list(field(slice, 'slab', 'shards')) ?? [];
    if (shards.length === 0 || shards.filter(hasContract).length < minShards) return false;
    covered += integer(field(slice, 'length')) ?? 0;
  }
  return covered === sizeBytes;
}

function hasContract(shard: unknown): boolean {
  const contracts = field(shard, 'contracts');
  return typeof contracts === 'object' && contracts !== null && Object.keys(contracts).length > 0;
}

function unreadable(name: ObjectName, status: number): StorageError {
  return new StorageError('storage.failed', `renterd does not tell where ${name} is (status ${String(status)})`, {
    hint: 'renterd 2.7.0 or later is needed.',
    context: { object: name, status },
  });
}
