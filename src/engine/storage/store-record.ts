/** What this installation found out about a store and need not find out again: files in its state directory. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readIfPresent, writeDurably } from '../../core/durable-file.ts';
import type { Random } from '../../core/random.ts';
import type { ProbeReport } from './probe.ts';

export class StoreRecord {
  readonly #folder: string;
  readonly #random: Random;

  /** @param location what tells the store from others; no credentials. */
  constructor(stateDirectory: string, location: string, random: Random) {
    const name = createHash('sha256').update(location).digest('hex').slice(0, 32);
    this.#folder = join(stateDirectory, 'stores', name);
    this.#random = random;
  }

  /** Whether the latest probe saw `If-None-Match: *` obeyed; false when nobody probed. */
  async conditionalPut(): Promise<boolean> {
    return (await readIfPresent(join(this.#folder, 'conditional-put')))?.toString() === 'true';
  }

  async keepProbe(report: ProbeReport): Promise<void> {
    await writeDurably(join(this.#folder, 'probe.json'), JSON.stringify(report), this.#random);
    const proven = report.checks.some((check) => check.name === 'conditional-put' && check.verdict === 'ok');
    await writeDurably(join(this.#folder, 'conditional-put'), String(proven), this.#random);
  }

  /** When the gateway was last told to push out what it holds back, over all tasks of this installation. */
  readonly flushes = {
    read: async (): Promise<number | undefined> => {
      const text = (await readIfPresent(join(this.#folder, 'flush')))?.toString() ?? '';
      return /^\d+$/.test(text) ? Number(text) : undefined;
    },
    write: (beganMs: number): Promise<void> =>
      writeDurably(join(this.#folder, 'flush'), String(Math.round(beganMs)), this.#random),
  };
}
