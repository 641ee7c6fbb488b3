/**
 * # Gateway simulator
 *
 * A small, complete S3 server on loopback with the quirks of real providers, and with the admin APIs of the two Sia
 * gateways. Words: a *profile* is a named set of *quirks*; a *quirk* is one lasting difference between providers; a
 * *fault* is a passing failure that a test scripts. An object is *pending* while its bytes lie on the gateway's disk
 * alone.
 *
 * Invariants: a quirk is a plain value read in one place; requests are counted by operation before faults act; time
 * comes from the injected clock, so a two-minute stall costs a test nothing; what a 200 acknowledged survives the end
 * of the process when a directory was given.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock, type Clock } from '../../../src/core/clock.ts';
import { answerAdmin } from './admin.ts';
import { Faults } from './faults.ts';
import { openObjects, type Objects } from './objects.ts';
import { profiles, type ProfileName, type Quirks } from './profiles.ts';
import { S3Server } from './s3-server.ts';
import { mainnet, type Redundancy, sectorBytes, type SiaWorld } from './sia-world.ts';
import { Stats } from './stats.ts';

export interface GatewayOptions {
  readonly profile: ProfileName;
  /** Where objects are kept; without it they live in memory. */
  readonly directory?: string | undefined;
  /** S3 port on 127.0.0.1; 0 (default) takes a free one. */
  readonly port?: number | undefined;
  /** Port of the admin API (profiles `renterd` and `s3d`). */
  readonly adminPort?: number | undefined;
  /** Made at the start. */
  readonly bucket?: string | undefined;
  readonly clock?: Clock | undefined;
  /** Every request waits this long first. */
  readonly latencyMs?: number | undefined;
  readonly quirks?: Partial<Quirks> | undefined;
  /** Default 10 of 30, as on mainnet. The slab is `minShards` sectors of 4 MiB. */
  readonly redundancy?: Redundancy | undefined;
  readonly network?: string | undefined;
  /** s3d: bytes that may be pending before a PUT has to wait. */
  readonly diskLimitBytes?: number | undefined;
}

export interface Gateway {
  readonly profile: ProfileName;
  readonly url: string;
  /** Base of the admin API; `undefined` where the profile has none. */
  readonly adminUrl: string | undefined;
  readonly adminPassword: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
  readonly stats: Stats;
  readonly faults: Faults;
  /** What the admin API reports, and the switches of the simulated Sia network. */
  readonly world: SiaWorld;
  /** Objects that are on the gateway's disk only. */
  pending(): { readonly objects: number; readonly bytes: number };
  /** Hosts can be reached again: `world.uploads` is `working`, and renterd uploads its full slabs. */
  reachHosts(): void;
  /** The gateway loses its disk but not its database: pending objects are gone. Returns how many. */
  losePending(): Promise<number>;
  /** The stored bytes of a key, past all quirks and faults. */
  peek(key: string): Promise<Uint8Array | undefined>;
  /** Replaces stored bytes behind the gateway's back. */
  tamper(key: string, bytes: Uint8Array): Promise<void>;
  keys(): readonly string[];
  close(): Promise<void>;
}

export const gatewayAccessKey = 'NESTEGGSIMULATEDKEY0';
/** Exactly 40 characters, as renterd demands. */
export const gatewaySecretKey = 'simulated-secret-simulated-secret-simula';
export const gatewayPassword = 'simulated-password';

const defaultDiskLimitBytes = 10 * 2 ** 30;

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const clock = options.clock ?? systemClock;
  const profile = profiles[options.profile];
  const quirks: Quirks = { ...profile.quirks, ...options.quirks };
  const bucket = options.bucket ?? 'nestegg';
  const redundancy = options.redundancy ?? { minShards: 10, totalShards: 30 };
  const objects = await openObjects({
    directory: options.directory,
    packing: profile.admin ?? 'none',
    slabBytes: redundancy.minShards * sectorBytes,
    totalShards: redundancy.totalShards,
  });
  objects.makeBucket(bucket);
  const world = mainnet(redundancy, options.network ?? 'mainnet', options.diskLimitBytes ?? defaultDiskLimitBytes);
  const stats = new Stats();
  const faults = new Faults(clock, profile.faults);
  const keys = { accessKey: gatewayAccessKey, secretKey: gatewaySecretKey };
  const s3 = new S3Server({ objects, quirks, faults, stats, clock, keys, world, latencyMs: options.latencyMs ?? 0 });
  const server = createServer((request, response) => void s3.answer(request, response));
  const port = await listen(server, options.port ?? 0);
  const admin = profile.admin;
  const adminServer =
    admin === undefined
      ? undefined
      : createServer((request, response) => {
          const context = { kind: admin, objects, world, stats, clock, faults, bucket, password: gatewayPassword };
          void answerAdmin(context, request, response);
        });
  const adminPort = adminServer && (await listen(adminServer, options.adminPort ?? 0));
  const stop = new AbortController();
  const loop = admin === 's3d' ? uploadLoop(objects, world, clock, stop.signal) : Promise.resolve();
  return {
    profile: options.profile,
    url: `http://127.0.0.1:${String(port)}`,
    adminUrl: adminPort === undefined ? undefined : `http://127.0.0.1:${String(adminPort)}`,
    adminPassword: gatewayPassword,
    ...keys,
    bucket,
    stats,
    faults,
    world,
    pending: () => objects.pending(),
    reachHosts: () => {
      world.uploads = 'working';
      objects.slabs.uploadFull();
    },
    losePending: () => objects.losePending(),
    peek: (key) => objects.peek(bucket, key),
    tamper: (key, bytes) => objects.tamper(bucket, key, bytes),
    keys: () => objects.keys(bucket),
    close: async () => {
      stop.abort();
      faults.clear();
      await Promise.all([closeServer(server), closeServer(adminServer), loop]);
    },
  };
}

/** s3d looks once a minute for groups of pending objects that fill their slabs well enough. Ends when `signal` aborts. */
async function uploadLoop(objects: Objects, world: SiaWorld, clock: Clock, signal: AbortSignal): Promise<void> {
  while (await sleptAMinute(clock, signal)) {
    if (world.uploads === 'working') objects.uploadGroups();
  }
}

async function sleptAMinute(clock: Clock, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(60_000, { signal, unref: true });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

async function listen(server: Server, port: number): Promise<number> {
  server.keepAliveTimeout = 60_000;
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server | undefined): Promise<void> {
  if (server === undefined) return;
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}
