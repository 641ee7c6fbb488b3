import { StorageError } from '../../../core/errors.ts';
import type { CallOptions } from '../storage.ts';
import type { GatewayApi } from './gateway-api.ts';
import { field, integer } from './json.ts';

/** What one host stores of one slab: 4 MiB, on every Sia network. */
const sectorBytes = 4 * 2 ** 20;

/** Shards of one slab beyond those needed to read it: so many hosts may vanish. Mainnet has 20, testnets have 4. */
const fewestSpareShards = 10;

export type SiaGateway =
  | {
      readonly kind: 'renterd';
      readonly network: string;
      readonly slabBytes: number;
      readonly minShards: number;
      readonly totalShards: number;
    }
  | { readonly kind: 's3d'; readonly slabBytes: number };

/** s3d uploads through the Sia storage SDK, which takes ten of thirty and tells nobody. */
const s3dSlabBytes = 10 * sectorBytes;

/** Asks the admin API which gateway it belongs to. @throws StorageError `storage.unsupported` when to neither. */
export async function detectGateway(api: GatewayApi, options: CallOptions = {}): Promise<SiaGateway> {
  const state = await api.ask('/api/bus/state', options);
  const network = field(state.json, 'network');
  if (state.status === 200 && typeof network === 'string') return describeRenterd(api, network, options);
  const uploads = await api.ask('/stats/uploads', options);
  if (uploads.status === 200 && integer(field(uploads.json, 'pendingObjects')) !== undefined) {
    return { kind: 's3d', slabBytes: s3dSlabBytes };
  }
  throw new StorageError('storage.unsupported', `${api.address} is neither renterd nor s3d`, {
    hint: 'Set `gateway.api` to the admin API: port 9980 of renterd, or port 8001 of s3d; not to the S3 port.',
    context: { gateway: api.address, status: uploads.status },
  });
}

async function describeRenterd(api: GatewayApi, network: string, options: CallOptions): Promise<SiaGateway> {
  const { json } = await api.ask('/api/bus/settings/upload', options);
  const minShards = integer(field(json, 'redundancy', 'minShards'));
  const totalShards = integer(field(json, 'redundancy', 'totalShards'));
  if (minShards === undefined || totalShards === undefined || minShards < 1 || totalShards < minShards) {
    throw new StorageError('storage.unsupported', `renterd at ${api.address} does not tell its redundancy`, {
      hint: 'renterd 2.7.0 or later is needed.',
      context: { gateway: api.address },
    });
  }
  return { kind: 'renterd', network, slabBytes: minShards * sectorBytes, minShards, totalShards };
}

/** Backups do not belong on a network that may be reset, or on a handful of hosts. @throws StorageError `storage.unsupported` */
export function refuseWeakRedundancy(gateway: SiaGateway): void {
  if (gateway.kind !== 'renterd') return;
  const { network, minShards, totalShards } = gateway;
  const redundancy = `${String(minShards)} of ${String(totalShards)}`;
  if (network !== 'mainnet') {
    throw new StorageError(
      'storage.unsupported',
      `renterd runs on the test network ${network} (${redundancy} shards)`,
      {
        hint: 'Data on a test network can vanish at any time. Run renterd on mainnet.',
      },
    );
  }
  if (totalShards - minShards < fewestSpareShards) {
    const spare = String(totalShards - minShards);
    throw new StorageError(
      'storage.unsupported',
      `renterd stores ${redundancy} shards: data is lost with ${spare} hosts more than that`,
      {
        hint: 'Set the redundancy of renterd to 10 of 30.',
      },
    );
  }
}
