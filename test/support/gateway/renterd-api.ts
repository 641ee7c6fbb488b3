import { createHash } from 'node:crypto';
import { AdminFailure, type AdminContext, type AdminRoutes, copyDatabase } from './admin-routes.ts';
import type { StoredObject } from './catalogue.ts';
import { sectorBytes } from './sia-world.ts';

/** The parts of renterd's bus, worker and autopilot APIs that say how the gateway is (paths since 2.0.0). */
export const renterdRoutes: AdminRoutes = {
  'GET /api/bus/state': (_request, context) => state(context),
  'GET /api/worker/state': (_request, context) => state(context),
  'GET /api/bus/consensus/state': (_request, { world, clock }) => ({
    blockHeight: world.blockHeight,
    lastBlockTime: new Date(clock.now()).toISOString(),
    synced: world.synced,
  }),
  'GET /api/bus/wallet': (_request, { world }) => ({
    spendable: world.walletConfirmed,
    confirmed: world.walletConfirmed,
    unconfirmed: '0',
    immature: '0',
    address: '0'.repeat(76),
    scanHeight: world.blockHeight,
  }),
  'GET /api/bus/autopilot': (_request, { world }) => ({
    enabled: world.autopilotEnabled,
    contracts: {
      amount: 50,
      period: 4320,
      renewWindow: 2160,
      download: 0,
      upload: 0,
      storage: 0,
      prune: world.pruning,
    },
    hosts: { maxDowntimeHours: 336, minProtocolVersion: '5.0.0' },
  }),
  'PUT /api/bus/autopilot': ({ body }, { world }) => {
    const contracts = field(body, 'contracts');
    if (typeof field(contracts, 'prune') === 'boolean') world.pruning = field(contracts, 'prune') === true;
    return undefined;
  },
  'GET /api/autopilot/state': (_request, { world }) => ({
    enabled: world.autopilotEnabled,
    migrating: false,
    pruning: world.pruning,
    scanning: false,
    uptimeMs: 3_600_000,
    version: 'v2.9.3',
  }),
  'GET /api/bus/contracts': (_request, { world }) =>
    Array.from({ length: world.goodContracts }, (_value, index) => contract(index, world.blockHeight)),
  'GET /api/bus/contracts/prunable': (_request, { world }) => ({
    contracts: [],
    totalPrunable: world.prunableBytes,
    totalSize: world.prunableBytes,
  }),
  'GET /api/bus/stats/objects': ({ query }, context) => objectStats(query.get('bucket') ?? context.bucket, context),
  'GET /api/bus/objects/': (request, context) => listByHealth(request.path, request.query, context),
  'GET /api/bus/object/': (request, context) => objectDetail(request.path, request.query, context),
  'GET /api/bus/slabbuffers': (_request, { objects }) =>
    objects.slabs.buffers().map((slab) => ({
      complete: objects.slabs.isFull(slab),
      filename: `partial_slab_${String(slab.id)}`,
      size: slab.filledBytes,
      maxSize: objects.slabs.slabBytes,
      locked: false,
    })),
  'GET /api/bus/alerts': ({ query }, { world }) => {
    const severity = query.get('severity');
    const alerts = world.alerts.filter((alert) => severity === null || alert.severity === severity);
    const count = (kind: string): number => world.alerts.filter((alert) => alert.severity === kind).length;
    const totals = {
      info: count('info'),
      warning: count('warning'),
      error: count('error'),
      critical: count('critical'),
    };
    return { alerts, hasMore: false, totals };
  },
  'POST /api/bus/alerts/dismiss': ({ body }, { world }) => {
    const ids: readonly unknown[] = Array.isArray(body) ? body : [];
    world.alerts = world.alerts.filter((alert) => !ids.includes(alert.id));
    return undefined;
  },
  'GET /api/bus/settings/upload': (_request, { world }) => ({
    packing: { enabled: world.packing, slabBufferMaxSizeSoft: 4 * 2 ** 30 },
    redundancy: world.redundancy,
  }),
  'GET /api/worker/memory': (_request, { world }) => ({
    upload: { available: world.uploadMemoryBytes, total: 2 ** 30 },
    download: { available: 2 ** 29, total: 2 ** 29 },
  }),
  'GET /api/worker/stats/uploads': (_request, { world }) => ({
    avgSlabUploadSpeedMbps: 80,
    avgOverdrivePct: 0.1,
    healthyUploaders: world.uploads === 'working' ? world.goodContracts : 0,
    numUploaders: world.goodContracts,
  }),
  'POST /api/bus/slabs/refreshhealth': () => undefined,
  'POST /api/bus/system/sqlite3/backup': ({ body }, { objects, world }) => {
    if (world.database === 'mysql') throw new AdminFailure(404, 'not found');
    if (field(body, 'database') !== 'main' && field(body, 'database') !== 'metrics') {
      throw new AdminFailure(400, 'unknown database');
    }
    return copyDatabase(body, objects);
  },
  'POST /api/bus/buckets': ({ body }, { objects }) => {
    if (!objects.makeBucket(String(field(body, 'name')))) throw new AdminFailure(409, 'bucket already exists');
    return undefined;
  },
};

function state({ world }: AdminContext): Record<string, unknown> {
  return { startTime: '2026-01-01T00:00:00Z', network: world.network, version: 'v2.9.3', commit: 'simulated' };
}

function contract(index: number, height: number): Record<string, unknown> {
  return {
    id: `contract${String(index)}`,
    hostKey: `ed25519:${hash(`host${String(index)}`)}`,
    size: 2 ** 30,
    state: 'active',
    usability: 'good',
    startHeight: height - 1000,
    proofHeight: height + 3000,
    windowStart: height + 3000,
    windowEnd: height + 3144,
    v2: true,
  };
}

function objectStats(bucket: string, { objects, world }: AdminContext): Record<string, unknown> {
  const all = objects.all().filter((object) => object.bucket === bucket);
  const uploadedSlabs = objects.slabs.all().filter((slab) => slab.uploaded).length;
  const sectors = uploadedSlabs * objects.totalShards * sectorBytes;
  return {
    numObjects: all.length,
    numUnfinishedObjects: 0,
    minHealth: uploadedSlabs === 0 ? 1 : world.health,
    totalObjectsSize: all.reduce((sum, object) => sum + object.sizeBytes, 0),
    totalUnfinishedObjectsSize: 0,
    totalSectorsSize: sectors,
    totalUploadedSize: sectors,
  };
}

function listByHealth(path: string, query: URLSearchParams, context: AdminContext): Record<string, unknown> {
  const prefix = path.slice('/api/bus/objects/'.length);
  const bucket = query.get('bucket') ?? context.bucket;
  const limit = Number(query.get('limit') ?? 100);
  const found = context.objects.keys(bucket).filter((key) => key.startsWith(prefix));
  const page = found.slice(0, limit).flatMap((key) => {
    const object = context.objects.get(bucket, key);
    return object === undefined ? [] : [metadata(object, context)];
  });
  return { hasMore: found.length > limit, nextMarker: found[limit - 1] ?? '', objects: page };
}

function objectDetail(path: string, query: URLSearchParams, context: AdminContext): Record<string, unknown> {
  const key = path.slice('/api/bus/object/'.length);
  const object = context.objects.get(query.get('bucket') ?? context.bucket, key);
  if (object === undefined) throw new AdminFailure(404, 'object not found');
  if (query.get('onlymetadata') === 'true') return metadata(object, context);
  const { minShards } = context.world.redundancy;
  const slabs = object.slices.map((slice) => ({
    slab: { health: 1, minShards, shards: shardsOf(slice.slab, context) },
    offset: slice.offset,
    length: slice.length,
  }));
  return { ...metadata(object, context), slabs };
}

/** A slab has no shards while it is a file on the gateway. */
function shardsOf(id: number, { objects, world }: AdminContext): readonly unknown[] {
  if (objects.slabs.get(id)?.uploaded !== true) return [];
  return Array.from({ length: world.redundancy.totalShards }, (_value, index) => ({
    root: `h:${hash(`${String(id)}/${String(index)}`)}`,
    contracts: { [`ed25519:${hash(`host${String(index)}`)}`]: [`contract${String(index)}`] },
  }));
}

/** Buffered data reports health 1 although it lies on one disk. */
function metadata(object: StoredObject, { objects, world }: AdminContext): Record<string, unknown> {
  return {
    bucket: object.bucket,
    eTag: `"${object.etag}"`,
    health: objects.isPending(object) ? 1 : world.health,
    modTime: new Date(object.modifiedMs).toISOString(),
    key: object.key,
    size: object.sizeBytes,
    mimeType: object.contentType,
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
