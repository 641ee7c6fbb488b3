import { writeFile } from 'node:fs/promises';
import type { Clock } from '../../../src/core/clock.ts';
import type { Faults } from './faults.ts';
import type { Objects } from './objects.ts';
import type { SiaGateway } from './profiles.ts';
import type { SiaWorld } from './sia-world.ts';
import type { Stats } from './stats.ts';

export interface AdminContext {
  readonly kind: SiaGateway;
  readonly objects: Objects;
  readonly world: SiaWorld;
  readonly stats: Stats;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly bucket: string;
  readonly password: string;
}

export interface AdminRequest {
  /** Path without query, decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The JSON body, or `undefined`. */
  readonly body: unknown;
}

/** Thrown by routes: the answer is this status with plain text. */
export class AdminFailure extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Keys are `GET /path`; a key that ends in `/` takes every path below it. */
export type AdminRoutes = Readonly<Record<string, (request: AdminRequest, context: AdminContext) => unknown>>;

/** A consistent copy of the name-to-data map, written on the gateway's own host. */
export async function copyDatabase(body: unknown, objects: Objects): Promise<null> {
  const path = typeof body === 'object' && body !== null && 'path' in body ? String(body.path) : '';
  if (!path.startsWith('/')) throw new AdminFailure(400, 'path must be absolute');
  await writeFile(path, JSON.stringify(objects.all()), { flag: 'wx' });
  return null;
}
