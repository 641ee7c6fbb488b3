/** From an assignment to the engine: secrets are wrapped here, and nothing but the engine gets them. */
import { NesteggError, UsageError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { OsLocks } from '../../core/os-lock.ts';
import { createOsLocks } from '../../core/os-lock-helper.ts';
import type { Random } from '../../core/random.ts';
import { Secret } from '../../core/secret.ts';
import {
  initRepository,
  openRepository,
  probeLocation,
  recoveryCodeOf,
  type Credential,
  type EngineContext,
  type OpenRepository,
  type ProbeReport,
  type StorageLocation,
} from '../../engine/index.ts';
import type { RepositoryAssignment } from './assignment.ts';

/** The process around the engine. */
export interface EngineAround {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal?: AbortSignal;
  /** Absent: nothing is kept on this machine. */
  readonly stateDirectory?: string;
}

type Opened = Awaited<ReturnType<typeof openRepository>>;

/** Opens the repository. The caller closes it. @throws what `openRepository` of the engine throws */
export async function openAssigned(
  assignment: RepositoryAssignment,
  around: EngineAround,
  locks: OsLocks | undefined,
): Promise<OpenRepository> {
  return (await openWhole(assignment, around, locks)).repository;
}

function openWhole(
  assignment: RepositoryAssignment,
  around: EngineAround,
  locks: OsLocks | undefined,
): Promise<Opened> {
  const { name, readOnly, packBytes, compression } = assignment;
  const location = {
    name,
    storage: storageOf(assignment),
    credential: credentialOf(assignment),
    readOnly,
    packBytes,
    ...(compression === undefined ? {} : { compression: compression === 0 ? ('off' as const) : compression }),
  };
  return openRepository(location, contextOf(assignment, around, locks));
}

/** Locks of the operating system for the time of `work`. */
export async function withLocks<Answer>(work: (locks: OsLocks) => Promise<Answer>): Promise<Answer> {
  const locks = createOsLocks();
  try {
    return await work(locks);
  } finally {
    await locks.close();
  }
}

export interface CreatedRepository {
  readonly id: string;
  readonly recoveryCode: Secret;
  readonly probe: ProbeReport;
}

/**
 * Creates a repository. It joins the family of the first of `siblings` that exists; one that exists and cannot be opened is
 * an error, because a repository that stands alone by mistake would stay alone for ever.
 */
export async function initAssigned(
  assignment: RepositoryAssignment,
  siblings: readonly RepositoryAssignment[],
  around: EngineAround,
): Promise<CreatedRepository> {
  const { password } = assignment.secrets;
  if (password === undefined) throw new UsageError('a new repository needs a password');
  const sibling = await firstSibling(siblings, around);
  try {
    const wanted = { storage: storageOf(assignment), password: new Secret(password), sibling };
    return await initRepository(wanted, contextOf(assignment, around, undefined));
  } finally {
    await sibling?.repository.close();
  }
}

async function firstSibling(
  siblings: readonly RepositoryAssignment[],
  around: EngineAround,
): Promise<Opened | undefined> {
  for (const sibling of siblings) {
    try {
      return await openWhole({ ...sibling, readOnly: true }, around, undefined);
    } catch (error) {
      const missing = ['repository.missing', 'storage.unavailable'];
      if (!(error instanceof NesteggError && missing.includes(error.code))) throw error;
    }
  }
  return undefined;
}

export function probeAssigned(assignment: RepositoryAssignment, around: EngineAround): Promise<ProbeReport> {
  return probeLocation(storageOf(assignment), contextOf(assignment, around, undefined));
}

/** What must be printed and kept away from this machine. */
export async function recoveryKit(
  assignment: RepositoryAssignment,
  around: EngineAround,
): Promise<{ readonly id: string; readonly code: Secret }> {
  const { repository, unlocked } = await openWhole({ ...assignment, readOnly: true }, around, undefined);
  try {
    return { id: repository.id, code: recoveryCodeOf(unlocked) };
  } finally {
    await repository.close();
  }
}

export interface Examination {
  readonly snapshots: number;
  readonly warnings: readonly string[];
  /** The store's clock less ours; absent when it does not tell. */
  readonly clockSkewMs?: number;
}

/** For `doctor`: opens it as a reader would, and looks at the store's clock. */
export async function examineRepository(assignment: RepositoryAssignment, around: EngineAround): Promise<Examination> {
  const repository = await openAssigned({ ...assignment, readOnly: true }, around, undefined);
  try {
    const storeMs = await repository.storage.clock({ signal: around.signal });
    const warnings = repository.warnings.map(({ kind }) => kind);
    return {
      snapshots: repository.snapshots().length,
      warnings: [...new Set(warnings)].map(
        (kind) => `${kind} (${String(warnings.filter((one) => one === kind).length)})`,
      ),
      ...(storeMs === undefined ? {} : { clockSkewMs: storeMs - around.clock.now() }),
    };
  } finally {
    await repository.close();
  }
}

function contextOf(assignment: RepositoryAssignment, around: EngineAround, locks: OsLocks | undefined): EngineContext {
  const { clock, random, log, signal, stateDirectory } = around;
  const logger = log.with({ repository: assignment.name });
  return { clock, random, logger, signal, stateDirectory, locks, concurrency: assignment.concurrency };
}

function credentialOf({ name, secrets }: RepositoryAssignment): Credential {
  if (secrets.recoveryCode !== undefined) return { type: 'recovery-code', code: new Secret(secrets.recoveryCode) };
  if (secrets.password !== undefined) return { type: 'password', password: new Secret(secrets.password) };
  throw new UsageError(`no password for the repository ${name}`);
}

function storageOf({ name, location, secrets }: RepositoryAssignment): StorageLocation {
  if (location.type === 'filesystem') return location;
  const { accessKey, secretKey, gatewayPassword } = secrets;
  if (accessKey === undefined || secretKey === undefined) {
    throw new UsageError(`the repository ${name} needs an access key and a secret key`);
  }
  const access = { accessKey: new Secret(accessKey), secretKey: new Secret(secretKey) };
  if (location.type === 's3') return { ...location, ...access };
  const { gatewayApi, ...rest } = location;
  if (gatewayApi === undefined || gatewayPassword === undefined) {
    throw new UsageError(`the repository ${name} needs the API of its Sia gateway`, {
      hint: 'Set `gateway: { api, password }`: it tells when bytes have left the gateway.',
    });
  }
  return { ...rest, ...access, gateway: { api: gatewayApi, password: new Secret(gatewayPassword) } };
}
