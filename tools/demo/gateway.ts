/** The simulated Sia gateway: renterd's S3 and admin APIs with their quirks, but no hosts, no contracts and no coins. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { forkProcess } from '../../src/core/entry.ts';
import { readLines } from './processes.ts';
import { DemoError, plainEnvironment, type World } from './world.ts';

export interface Gateway {
  readonly url: string;
  readonly adminUrl: string;
  readonly adminPassword: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
}

/** A process of its own: it stands for another machine, and survives the fire. */
export async function startGateway({ processes, folders }: World): Promise<Gateway> {
  const args = ['--profile', 'renterd', '--directory', folders.gateway];
  const child = processes.own(
    forkProcess(import.meta.url, '../../test/support/gateway/main', args, {
      cwd: folders.top,
      env: plainEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    }),
  );
  child.stderr?.pipe(createWriteStream(join(folders.logs, 'sia-gateway.log')));
  return new Promise((resolve, reject) => {
    readLines(child, (line) => {
      resolve(JSON.parse(line) as Gateway);
    }).then((ending) => {
      reject(
        new DemoError(`the gateway ended (${String(ending)})`, `Its log: ${join(folders.logs, 'sia-gateway.log')}`),
      );
    }, reject);
  });
}
