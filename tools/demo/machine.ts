/** The machine that is backed up: its datastore, its configuration, its state, and a directory that is a repository. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../src/core/bytes.ts';
import { systemRandom } from '../../src/core/random.ts';
import type { Gateway } from './gateway.ts';

export interface Machine {
  readonly folder: string;
  readonly datastore: string;
  readonly state: string;
  readonly configFile: string;
  /** The folder of the repository `directory`. */
  readonly repository: string;
}

/** What an administrator keeps in a safe place, beside the recovery codes. */
export interface Passwords {
  readonly directory: string;
  readonly sia: string;
}

export const prefix = 'pbs1';

export function machineIn(folder: string): Machine {
  const below = (name: string): string => join(folder, name);
  return {
    folder,
    datastore: below('datastore'),
    state: below('state'),
    configFile: below('config.yml'),
    repository: below('repository'),
  };
}

export function newPasswords(): Passwords {
  const password = (): string => toHex(systemRandom.bytes(16));
  return { directory: password(), sia: password() };
}

/** Writes configuration and secrets as an administrator would. */
export function setUp(machine: Machine, gateway: Gateway, passwords: Passwords): void {
  const secrets = join(machine.folder, 'secrets');
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  const secret = (name: string, text: string): void => {
    writeFileSync(join(secrets, name), `${text}\n`, { mode: 0o600 });
  };
  secret('directory.password', passwords.directory);
  secret('sia.password', passwords.sia);
  secret('sia.access-key', gateway.accessKey);
  secret('sia.secret-key', gateway.secretKey);
  secret('renterd.password', gateway.adminPassword);
  writeFileSync(machine.configFile, configText(gateway));
}

function configText(gateway: Gateway): string {
  return `device: pbs1

daemon:
  listen: 127.0.0.1:0                    # any free port
  state: state

repositories:
  directory:
    type: filesystem
    path: repository
    password: { file: secrets/directory.password }
  sia:                                   # simulated: a gateway without a network behind it
    type: sia
    endpoint: ${gateway.url}
    bucket: ${gateway.bucket}
    prefix: ${prefix}/
    accessKey: { file: secrets/sia.access-key }
    secretKey: { file: secrets/sia.secret-key }
    gateway: { api: ${gateway.adminUrl}, password: { file: secrets/renterd.password } }
    password: { file: secrets/sia.password }

backups:
  datacenter:
    source:
      type: pbs
      datastore: datastore
      snapshots: all
    repositories: [directory, sia]
    watch: { settle: { min: 1s, max: 5s } }
`;
}
