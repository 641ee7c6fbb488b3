/** 4 MiB: what one host stores of one slab. */
export const sectorBytes = 4 * 2 ** 20;

export interface Redundancy {
  readonly minShards: number;
  readonly totalShards: number;
}

export interface SiaAlert {
  readonly id: string;
  readonly severity: 'info' | 'warning' | 'error' | 'critical';
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly timestamp: string;
}

/** The Sia network around the gateway, as far as the admin API shows it. Tests change it freely. */
export interface SiaWorld {
  network: string;
  synced: boolean;
  blockHeight: number;
  redundancy: Redundancy;
  packing: boolean;
  goodContracts: number;
  /** Hastings (1 SC = 10^24), as decimal text. */
  walletConfirmed: string;
  autopilotEnabled: boolean;
  pruning: boolean;
  prunableBytes: number;
  alerts: SiaAlert[];
  /** Health of uploaded slabs: 1 all hosts good, 0 just enough left, below 0 not readable now. */
  health: number;
  uploadMemoryBytes: number;
  /** `stuck`: hosts cannot be reached, nothing leaves the gateway, a flush fails. */
  uploads: 'working' | 'stuck';
  failedUploads: number;
  /** s3d: how much may be pending before a PUT waits. */
  diskLimitBytes: number;
  /** `mysql`: renterd has no SQLite file to copy. */
  database: 'sqlite' | 'mysql';
}

export function mainnet(redundancy: Redundancy, network: string, diskLimitBytes: number): SiaWorld {
  return {
    network,
    synced: true,
    blockHeight: 590_000,
    redundancy,
    packing: true,
    goodContracts: redundancy.totalShards + 20,
    walletConfirmed: `${String(2500)}${'0'.repeat(24)}`,
    autopilotEnabled: true,
    pruning: false,
    prunableBytes: 0,
    alerts: [],
    health: 1,
    uploadMemoryBytes: 2 ** 30,
    uploads: 'working',
    failedUploads: 0,
    diskLimitBytes,
    database: 'sqlite',
  };
}
