/**
 * What a location can do, found out by trying: asked once at `repository init`, and again on demand. Everything happens
 * under `probe/<random>/` and is removed again where the store deletes; a store that refuses to delete keeps a few
 * small objects there, which nobody reads.
 *
 * Verdicts: `ok`; `absent`: the store lacks it and says so, or was not asked; `bad`: it does something else than it says.
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { systemClock, type Clock } from '../../core/clock.ts';
import { CancelledError, StorageError, messageOf } from '../../core/errors.ts';
import { systemRandom, type Random } from '../../core/random.ts';
import type { CallOptions, ObjectName, PutResult, Storage, StorageCapabilities } from './storage.ts';

export type ProbeVerdict = 'ok' | 'absent' | 'bad';

export interface ProbeCheck {
  readonly name: ProbeName;
  readonly verdict: ProbeVerdict;
  /** What was seen, for a person. */
  readonly detail: string;
}

/** Plain JSON. */
export interface ProbeReport {
  readonly location: string;
  readonly checks: readonly ProbeCheck[];
  /** What the store declares, corrected by what was seen. */
  readonly capabilities: StorageCapabilities;
  /** The store's clock less ours, in milliseconds; null when it does not tell. */
  readonly clockSkewMs: number | null;
  /** Objects that could not be removed. */
  readonly left: readonly ObjectName[];
}

/** What a store can be asked beyond its interface. S3 stores implement it; each answers with what the server did. */
export interface ProbeTarget {
  /** A PUT with a wrong Content-MD5: does the server refuse it? */
  refusesWrongChecksum(name: ObjectName, bytes: Uint8Array, options?: CallOptions): Promise<boolean>;
  /** A conditional PUT over an existing name, without the client's own care: does the server refuse it? */
  refusesOverwrite(name: ObjectName, bytes: Uint8Array, options?: CallOptions): Promise<boolean>;
  /** All names below a prefix, by pages of `pageSize`. */
  listPaged(prefix: string, pageSize: number, options?: CallOptions): Promise<readonly ObjectName[]>;
}

export interface ProbeOptions extends CallOptions {
  readonly target?: ProbeTarget;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Nothing can be stored safely without these. */
const essential = ['write', 'read-back', 'range', 'absence', 'listing', 'again'] as const;
export type ProbeName =
  (typeof essential)[number] | 'paging' | 'conditional-put' | 'checksum' | 'delete' | 'delete-missing' | 'clock';

const objects = 5;
const racers = 4;
const longestSkewMs = 60_000;

/**
 * Probes a storage; best without retry over it. Takes some forty requests.
 * @throws StorageError `storage.unsupported` when an essential is not `ok`, with the report in its context; or what the
 * first `put` throws: then the location cannot be written to at all.
 */
export async function probeStorage(storage: Storage, options: ProbeOptions = {}): Promise<ProbeReport> {
  const report = await new Probe(storage, options).run();
  const failed = report.checks.filter(
    ({ name, verdict }) => verdict !== 'ok' && (essential as readonly string[]).includes(name),
  );
  if (failed.length === 0) return report;
  const reasons = failed.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
  throw new StorageError('storage.unsupported', `${storage.location} cannot hold a repository (${reasons})`, {
    hint: 'Choose another location, or another gateway before it; a broken proxy in between has the same effect.',
    context: { report },
  });
}

class Probe {
  readonly #storage: Storage;
  readonly #target: ProbeTarget | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #call: CallOptions;
  readonly #prefix: string;
  readonly #names: ObjectName[];
  readonly #bytes: Uint8Array[];
  readonly #extras = new Set<ObjectName>();
  readonly #checks: ProbeCheck[] = [];

  constructor(storage: Storage, options: ProbeOptions) {
    this.#storage = storage;
    this.#target = options.target;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#call = { signal: options.signal };
    this.#prefix = `probe/${toHex(this.#random.bytes(8))}/`;
    this.#names = Array.from({ length: objects }, (_, at) => `${this.#prefix}${String(at)}`);
    this.#bytes = this.#names.map((_, at) => this.#random.bytes(4096 + at));
  }

  async run(): Promise<ProbeReport> {
    const clockSkewMs = await this.#look().catch(async (error: unknown) => {
      await this.#clean();
      throw error;
    });
    const left = await this.#clean();
    const ok = (name: ProbeName): boolean => this.#checks.some((each) => each.name === name && each.verdict === 'ok');
    const capabilities = {
      ...this.#storage.capabilities,
      conditionalPut: this.#storage.capabilities.conditionalPut && ok('conditional-put'),
      canDelete: ok('delete'),
    };
    return { location: this.#storage.location, checks: this.#checks, capabilities, clockSkewMs, left };
  }

  async #look(): Promise<number | null> {
    // A location that cannot be written to at all is told by the error of the store itself.
    for (const [at, name] of this.#names.entries()) await this.#storage.put(name, this.#body(at), this.#call);
    this.#note('write', 'ok', `${String(objects)} objects stored`);
    await this.#check('read-back', () => this.#readBack());
    await this.#check('range', () => this.#ranges());
    await this.#check('absence', () => this.#absence());
    await this.#check('listing', () => this.#listing());
    await this.#check('paging', () => this.#paging());
    await this.#check('again', () => this.#again());
    await this.#check('conditional-put', () => this.#conditionalPut());
    await this.#check('checksum', () => this.#checksum());
    return this.#clockSkew();
  }

  async #readBack(): Promise<Seen> {
    for (const [at, name] of this.#names.entries()) {
      const info = await this.#storage.head(name, this.#call);
      if (info?.sizeBytes !== this.#body(at).byteLength) return bad(`${name} has another size than was stored`);
      if (!equalBytes(await this.#storage.get(name, this.#call), this.#body(at)))
        return bad(`${name} reads differently`);
    }
    return ok('every object reads as it was stored');
  }

  async #ranges(): Promise<Seen> {
    const name = this.#name(0);
    const whole = this.#body(0);
    const size = whole.byteLength;
    for (const [from, length] of [
      [0, 1],
      [1000, 100],
      [size - 7, 7],
      [0, size],
    ] as const) {
      const part = await this.#storage.getRange(name, from, length, this.#call);
      if (!equalBytes(part, whole.subarray(from, from + length))) {
        return bad(`${String(length)} bytes from ${String(from)} read differently`);
      }
    }
    const over = await thrown(() => this.#storage.getRange(name, size - 1, 2, this.#call));
    return over?.code === 'storage.corrupt'
      ? ok('middle, end and beyond the end')
      : bad('a range beyond the end is answered');
  }

  async #absence(): Promise<Seen> {
    const name = `${this.#prefix}missing`;
    if (await this.#storage.head(name, this.#call)) return bad('an object that was never stored is there');
    const error = await thrown(() => this.#storage.get(name, this.#call));
    return error?.code === 'storage.not-found'
      ? ok('a missing object is told as missing')
      : bad(`a missing object: ${error?.message ?? 'is answered'}`);
  }

  async #listing(): Promise<Seen> {
    let all = await this.#list();
    const boundMs = this.#storage.capabilities.visibilityBoundMs ?? 0;
    if (!sameNames(all, this.#names) && boundMs > 0) {
      await this.#clock.sleep(boundMs, { signal: this.#call.signal });
      all = await this.#list();
    }
    if (!sameNames(all, this.#names)) return bad(`${String(all.length)} of ${String(objects)} objects listed`);
    const rest = await this.#list(this.#name(1));
    return sameNames(rest, this.#names.slice(2))
      ? ok('complete, also from a name on')
      : bad('a listing from a name on is not right');
  }

  async #paging(): Promise<Seen> {
    if (!this.#target) return absent('not a question for this kind of store');
    const paged = await this.#target.listPaged(this.#prefix, 2, this.#call);
    return sameNames(paged, this.#names)
      ? ok('pages of two give all')
      : bad(`pages of two give ${String(paged.length)} of ${String(objects)}`);
  }

  async #again(): Promise<Seen> {
    const result = await this.#storage.put(this.#name(0), this.#body(0), this.#call);
    const after = await this.#storage.get(this.#name(0), this.#call);
    if (!equalBytes(after, this.#body(0))) return bad('storing the same once more changed the object');
    return ok(
      result === 'exists' ? 'storing the same once more is noticed' : 'storing the same once more changes nothing',
    );
  }

  async #conditionalPut(): Promise<Seen> {
    const other = this.#random.bytes(100);
    if (this.#target) {
      if (!(await this.#target.refusesOverwrite(this.#name(1), other, this.#call))) {
        return absent('an existing name is overwritten');
      }
      return this.#race();
    }
    if (!this.#storage.capabilities.conditionalPut) return absent('the store does not offer it');
    const error = await thrown(() => this.#storage.put(this.#name(1), other, this.#call));
    const kept = equalBytes(await this.#storage.get(this.#name(1), this.#call), this.#body(1));
    return error?.code === 'storage.conflict' && kept ? this.#race() : bad('an existing name is overwritten');
  }

  /** Several at once: some servers look first and write then. */
  async #race(): Promise<Seen> {
    const name = this.#extra('race');
    const bodies = Array.from({ length: racers }, () => this.#random.bytes(1000));
    const results = await Promise.all(
      bodies.map(async (body) => {
        let result: PutResult | undefined;
        const error = await thrown(async () => (result = await this.#storage.put(name, body, this.#call)));
        return error?.code ?? result;
      }),
    );
    const winners = bodies.filter((_, at) => results[at] === 'created');
    const [winner] = winners;
    const kept = winner !== undefined && equalBytes(await this.#storage.get(name, this.#call), winner);
    if (winners.length === 1 && kept) return ok(`an existing name is refused, also to ${String(racers)} at once`);
    return bad(
      `of ${String(racers)} writers of one name at once, ${String(winners.length)} were told that they stored it`,
    );
  }

  async #checksum(): Promise<Seen> {
    if (!this.#target) return absent('not a question for this kind of store');
    const name = this.#extra('checksum');
    if (!(await this.#target.refusesWrongChecksum(name, this.#random.bytes(100), this.#call))) {
      return absent('damaged uploads are accepted; they are found only when they are read');
    }
    this.#extras.delete(name);
    return ok('damaged uploads are refused');
  }

  /** The name of a further object, to be removed at the end. */
  #extra(name: string): ObjectName {
    this.#extras.add(`${this.#prefix}${name}`);
    return `${this.#prefix}${name}`;
  }

  async #clockSkew(): Promise<number | null> {
    let skewMs: number | null = null;
    await this.#check('clock', async () => {
      const theirs = await this.#storage.clock(this.#call);
      if (theirs === undefined) return absent('the store does not tell its time');
      skewMs = theirs - this.#clock.now();
      const seen = `${String(Math.round(skewMs / 1000))} s from ours`;
      return Math.abs(skewMs) > longestSkewMs ? bad(seen) : ok(seen);
    });
    return skewMs;
  }

  /** Removes what the probe stored, whatever happened before, and learns so whether the store deletes. */
  async #clean(): Promise<ObjectName[]> {
    const left: ObjectName[] = [];
    const refusals: string[] = [];
    for (const name of [...this.#names, ...this.#extras]) {
      try {
        await this.#storage.delete(name);
      } catch (error) {
        refusals.push(messageOf(error));
        left.push(name);
      }
    }
    if (refusals.length === 0) this.#note('delete', 'ok', 'the probe left nothing behind');
    else this.#note('delete', 'absent', refusals[0] ?? 'refused');
    await this.#check('delete-missing', async () => {
      if (left.length > 0) return absent('this store does not delete');
      await this.#storage.delete(`${this.#prefix}missing`, this.#call);
      return (await this.#list()).length === 0
        ? ok('deleting what is missing succeeds')
        : bad('deleted objects are still listed');
    });
    return left;
  }

  async #check(name: ProbeName, look: () => Promise<Seen>): Promise<void> {
    try {
      const { verdict, detail } = await look();
      this.#note(name, verdict, detail);
    } catch (error) {
      if (error instanceof CancelledError) throw error;
      this.#note(name, 'bad', messageOf(error));
    }
  }

  async #list(startAfter?: ObjectName): Promise<ObjectName[]> {
    const found = new Set<ObjectName>();
    for await (const { name } of this.#storage.list(this.#prefix, { ...this.#call, startAfter })) found.add(name);
    return [...found];
  }

  #note(name: ProbeName, verdict: ProbeVerdict, detail: string): void {
    this.#checks.push({ name, verdict, detail });
  }

  #name(at: number): ObjectName {
    return `${this.#prefix}${String(at)}`;
  }

  #body(at: number): Uint8Array {
    return this.#bytes[at] ?? new Uint8Array();
  }
}

interface Seen {
  readonly verdict: ProbeVerdict;
  readonly detail: string;
}

const ok = (detail: string): Seen => ({ verdict: 'ok', detail });
const absent = (detail: string): Seen => ({ verdict: 'absent', detail });
const bad = (detail: string): Seen => ({ verdict: 'bad', detail });

function sameNames(found: readonly ObjectName[], wanted: readonly ObjectName[]): boolean {
  return [...found].sort().join() === [...wanted].sort().join();
}

/** The storage error of a call, or nothing when it succeeds. @throws whatever else it throws. */
async function thrown(call: () => Promise<unknown>): Promise<StorageError | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
}
