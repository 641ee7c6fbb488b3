import { equalBytes } from '../../core/bytes.ts';
import { CancelledError, StorageError } from '../../core/errors.ts';
import { decorate, type Operation, type StorageCall } from './calls.ts';
import type { CallOptions, ListOptions, ObjectInfo, ObjectName, PutResult, Storage } from './storage.ts';

/** What goes wrong with one call. Faults marked *lie* answer success; the others tell. */
export type Fault =
  /** Fails without effect. */
  | { readonly kind: 'error-before'; readonly error: () => Error }
  /** Takes effect, then fails: the ambiguous answer. */
  | { readonly kind: 'error-after'; readonly error: () => Error }
  /** *Lie*: `put` and `delete` answer and do nothing. */
  | { readonly kind: 'lost' }
  /** *Lie*: `put` stores, `get` and `getRange` return only the first bytes. */
  | { readonly kind: 'truncated'; readonly keepBytes: number }
  /** *Lie*: `put` stores, `get` and `getRange` return the bytes with one bit changed (counted modulo their number). */
  | { readonly kind: 'bit-flip'; readonly bit: number }
  /** The call is done twice, as by a proxy that repeats it; the second answer counts. */
  | { readonly kind: 'doubled' }
  /** *Lie*, for a while: `put` answers, and is done only after the next `put`, or never if there is none. */
  | { readonly kind: 'late' }
  /** Answers nothing until the signal aborts. Without a signal: for ever. */
  | { readonly kind: 'stall' }
  | { readonly kind: 'full' }
  /** *Lie*: the listing leaves out what matches. */
  | { readonly kind: 'missing-entries'; readonly leaveOut: (info: ObjectInfo) => boolean }
  /** *Lie*: the listing is one of before the latest so many `put`s that created something. */
  | { readonly kind: 'stale-list'; readonly putsBehind: number }
  /** The listing yields so many objects and then fails. */
  | { readonly kind: 'cut-list'; readonly after: number; readonly error: () => Error };

export interface FaultRule {
  readonly operation: Operation;
  /** The how-manieth call of this operation, from 1. Default: every one. */
  readonly call?: number | undefined;
  /** Only calls of such a subject. Calls are counted whether or not they match. */
  readonly subject?: RegExp | undefined;
  /** How often it may happen. Default 1 with `call`, else without end. */
  readonly times?: number | undefined;
  readonly fault: Fault;
}

export interface ObservedCall extends StorageCall {
  readonly phase: 'before' | 'after';
  /** Number of this call among those of its operation, and among all, from 1. */
  readonly call: number;
  readonly total: number;
}

export interface FaultyOptions {
  readonly rules?: readonly FaultRule[];
  /** Refuse every `delete`. */
  readonly refuseDelete?: boolean;
  /** Refuse a `put` of a name that exists with other bytes, before the store below sees it. */
  readonly refuseOverwrite?: boolean;
  /** Around every call, also one that a fault keeps from the store below; what it throws, the call throws. */
  readonly onCall?: (call: ObservedCall) => void | Promise<void>;
}

interface Armed {
  readonly rule: FaultRule;
  left: number;
}

/** Scripts and counts faults of the store below it. For tests, `bench` and the demo; never in a daemon. */
export class FaultScript {
  readonly #armed: Armed[] = [];
  readonly #calls = new Map<Operation, number>();
  readonly #fired = new Map<Fault['kind'], number>();
  #total = 0;
  #refused = 0;

  /** How often the operation was called; without one: all of them. */
  calls(operation?: Operation): number {
    return operation ? (this.#calls.get(operation) ?? 0) : this.#total;
  }

  /** How often such a fault happened; without a kind: all of them. */
  fired(kind?: Fault['kind']): number {
    if (kind) return this.#fired.get(kind) ?? 0;
    return [...this.#fired.values()].reduce((sum, each) => sum + each, 0);
  }

  /** How many deletions and overwrites were refused. */
  get refused(): number {
    return this.#refused;
  }

  add(rule: FaultRule): void {
    this.#armed.push({ rule, left: rule.times ?? (rule.call === undefined ? Infinity : 1) });
  }

  /** Takes back all rules; the counters stay. */
  clear(): void {
    this.#armed.length = 0;
  }

  /** Counts a call. Its own number comes first, then that among all calls. */
  count(operation: Operation): readonly [call: number, total: number] {
    const call = this.calls(operation) + 1;
    this.#calls.set(operation, call);
    return [call, ++this.#total];
  }

  countRefused(): void {
    this.#refused++;
  }

  /** The fault of this call, if a rule has one: the first rule that fits. */
  take({ operation, subject }: StorageCall, call: number): Fault | undefined {
    const hit = this.#armed.find(
      ({ rule, left }) =>
        left > 0 &&
        rule.operation === operation &&
        (rule.call === undefined || rule.call === call) &&
        (rule.subject === undefined || rule.subject.test(subject)),
    );
    if (!hit) return undefined;
    hit.left--;
    const { kind } = hit.rule.fault;
    this.#fired.set(kind, this.fired(kind) + 1);
    return hit.rule.fault;
  }
}

/** A store over which a script rules, with the script. */
export interface FaultyStorage extends Storage {
  readonly script: FaultScript;
}

/** `inner` with faults. Without rules and refusals it keeps every invariant that `inner` keeps. */
export function withFaults(inner: Storage, options: FaultyOptions = {}): FaultyStorage {
  const script = new FaultScript();
  for (const rule of options.rules ?? []) script.add(rule);
  const faulty = new Faulty(inner, script, options);
  const storage = decorate(inner, (call, run, callOptions) => faulty.around(call, run, callOptions), {
    get capabilities() {
      return options.refuseDelete === true ? { ...inner.capabilities, canDelete: false } : inner.capabilities;
    },
    put: (name, bytes, callOptions = {}) => faulty.put(name, bytes, callOptions),
    list: (prefix, listOptions = {}) => faulty.list(prefix, listOptions),
  });
  return Object.defineProperty(storage, 'script', { value: script }) as FaultyStorage;
}

class Faulty {
  readonly #inner: Storage;
  readonly #script: FaultScript;
  readonly #options: FaultyOptions;
  readonly #created: ObjectName[] = [];
  #late: (() => Promise<unknown>) | undefined;

  constructor(inner: Storage, script: FaultScript, options: FaultyOptions) {
    this.#inner = inner;
    this.#script = script;
    this.#options = options;
  }

  async around<T>(call: StorageCall, run: (options: CallOptions) => Promise<T>, options: CallOptions): Promise<T> {
    return this.#observed(call, async (fault) => {
      if (call.operation === 'delete' && this.#options.refuseDelete === true) {
        this.#script.countRefused();
        throw new StorageError('storage.refused', `deleting ${call.subject}: this store does not delete`);
      }
      if (!fault) return run(options);
      // Nothing to answer but `undefined`, which only a deletion answers.
      if (fault.kind === 'lost' && call.operation === 'delete') return undefined as T;
      const answer = await faulted(fault, () => run(options), options.signal);
      return (answer instanceof Uint8Array ? damaged(fault, answer) : answer) as T;
    });
  }

  async put(name: ObjectName, bytes: Uint8Array, options: CallOptions): Promise<PutResult> {
    return this.#observed({ operation: 'put', subject: name }, async (fault) => {
      if (this.#options.refuseOverwrite === true) await this.#checkOverwrite(name, bytes, options);
      if (fault?.kind === 'lost') return 'created';
      const late = this.#late;
      this.#late = undefined;
      if (fault?.kind === 'late') {
        const kept = bytes.slice();
        this.#late = () => this.#inner.put(name, kept);
        await late?.();
        return 'created';
      }
      const stored = fault ? damaged(fault, bytes) : bytes;
      const store = (): Promise<PutResult> => this.#inner.put(name, stored, options);
      const result = await (fault ? faulted(fault, store, options.signal) : store());
      if (result === 'created') this.#created.push(name);
      await late?.();
      return result;
    });
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectInfo> {
    const call = { operation: 'list', subject: prefix } as const;
    const [number, total] = this.#script.count('list');
    await this.#options.onCall?.({ ...call, phase: 'before', call: number, total });
    const fault = this.#script.take(call, number);
    if (fault?.kind === 'error-before' || fault?.kind === 'stall' || fault?.kind === 'full') {
      await faulted(fault, () => Promise.resolve(), options.signal);
    }
    const listing = this.#inner.list(prefix, options);
    yield* fault ? this.#altered(listing, fault) : listing;
    await this.#options.onCall?.({ ...call, phase: 'after', call: number, total });
  }

  async *#altered(listing: AsyncIterable<ObjectInfo>, fault: Fault): AsyncGenerator<ObjectInfo> {
    const hidden = new Set(fault.kind === 'stale-list' ? this.#created.slice(-fault.putsBehind) : []);
    let left = fault.kind === 'cut-list' ? fault.after : Infinity;
    for await (const info of listing) {
      if (left-- <= 0) break;
      if (hidden.has(info.name) || (fault.kind === 'missing-entries' && fault.leaveOut(info))) continue;
      yield info;
      if (fault.kind === 'doubled') yield info;
    }
    if (fault.kind === 'error-after' || fault.kind === 'cut-list') throw fault.error();
  }

  async #observed<T>(call: StorageCall, work: (fault: Fault | undefined) => Promise<T>): Promise<T> {
    const [number, total] = this.#script.count(call.operation);
    await this.#options.onCall?.({ ...call, phase: 'before', call: number, total });
    const result = await work(this.#script.take(call, number));
    await this.#options.onCall?.({ ...call, phase: 'after', call: number, total });
    return result;
  }

  async #checkOverwrite(name: ObjectName, bytes: Uint8Array, options: CallOptions): Promise<void> {
    if (!(await this.#inner.head(name, options))) return;
    if (equalBytes(await this.#inner.get(name, { signal: options.signal }), bytes)) return;
    this.#script.countRefused();
    throw new StorageError('storage.conflict', `storing ${name}: this store does not overwrite`);
  }
}

async function faulted<T>(fault: Fault, run: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  switch (fault.kind) {
    case 'error-before':
      throw fault.error();
    case 'error-after':
      await run();
      throw fault.error();
    case 'doubled':
      await run();
      return run();
    case 'stall':
      return stalled(signal);
    case 'full':
      throw new StorageError('storage.full', 'the store has no space left');
    default:
      return run();
  }
}

function damaged(fault: Fault, bytes: Uint8Array): Uint8Array {
  if (fault.kind === 'truncated') return bytes.slice(0, fault.keepBytes);
  if (fault.kind !== 'bit-flip' || bytes.byteLength === 0) return bytes;
  const changed = bytes.slice();
  const at = Math.floor(fault.bit / 8) % changed.byteLength;
  changed[at] = (changed[at] ?? 0) ^ (1 << (fault.bit % 8));
  return changed;
}

function stalled(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => {
      reject(new CancelledError(undefined, { cause: signal?.reason }));
    };
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
