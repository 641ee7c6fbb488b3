/**
 * Loaded before everything else in a process that is to be killed, with `--import tracer.mjs?order=FILE` (or by an
 * import, then FILE is `task-trace.json` in TMPDIR): counts the calls
 * that change a file, by phase and over all threads, and at the chosen one sends SIGKILL to its own process. The file
 * holds a `TraceOrder` (moments.ts) as JSON; without the file nothing is touched.
 *
 * A call has three places to die at: before it, after it and, for a write, in its middle, when half of the bytes are out.
 * Calls that change no file (the barrier of a store, the commit of a database) are told with `during`.
 */
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import promises from 'node:fs/promises';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const shared = 'nestegg trace';
const original = { ...fs };
const order = readOrder(
  new URL(import.meta.url).searchParams.get('order') ?? `${process.env.TMPDIR ?? '/nowhere'}/task-trace.json`,
);

/** Threads obey the order of their process. */
function readOrder(file) {
  if (!isMainThread) return getEnvironmentData(shared)?.order;
  try {
    const found = JSON.parse(fs.readFileSync(file, 'utf8'));
    if (found.once) fs.unlinkSync(file);
    return found;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

class Trace {
  #phases;
  #rules;
  #told;
  #kill;
  #counters;
  /** While set, looking at a file counts too. */
  #during;

  constructor({ rules, told = {}, kill, counts }) {
    this.#phases = [...new Set([...rules.map((rule) => rule.phase), ...Object.values(told)])];
    this.#told = told;
    this.#rules = rules.map((rule) => ({ phase: rule.phase, path: new RegExp(rule.path) }));
    this.#kill = kill;
    if (isMainThread) {
      setEnvironmentData(shared, { order, counters: new SharedArrayBuffer(8 * this.#phases.length) });
      if (counts !== undefined) process.on('exit', () => this.#report(counts));
    }
    this.#counters = new Int32Array(getEnvironmentData(shared).counters);
  }

  /** A call on `path`; `half` does the first half of a write. */
  on(path, act, half) {
    const phase = this.#during ?? this.phaseOf(path);
    return phase === undefined ? act() : this.#counted(phase, act, half);
  }

  look(path, act) {
    return this.#during === undefined ? act() : this.#counted(this.#during, act);
  }

  /** A call that takes long: counted at its beginning and at its end, and everything in between belongs to the phase. */
  async during(name, act) {
    const phase = this.#told[name];
    if (phase === undefined) return act();
    await this.#counted(phase, async () => undefined);
    this.#during = phase;
    try {
      return await act();
    } finally {
      this.#during = undefined;
      await this.#counted(phase, async () => undefined);
    }
  }

  phaseOf(path) {
    return typeof path === 'string' ? this.#rules.find((rule) => rule.path.test(path))?.phase : undefined;
  }

  #counted(phase, act, half) {
    const at = 2 * this.#phases.indexOf(phase);
    const call = Atomics.add(this.#counters, at, 1) + 1;
    const write = half === undefined ? 0 : Atomics.add(this.#counters, at + 1, 1) + 1;
    const now = this.#kill?.place === 'torn' ? write : call;
    const place = this.#kill?.phase === phase && this.#kill.call === now ? this.#kill.place : undefined;
    if (place === 'before') die();
    const result = place === 'torn' ? half() : act();
    if (place === undefined) return result;
    return typeof result?.then === 'function' ? result.then(die) : die();
  }

  #report(file) {
    const [...all] = this.#counters;
    const counts = Object.fromEntries(
      this.#phases.map((phase, at) => [phase, { calls: all[2 * at], writes: all[2 * at + 1] }]),
    );
    const fd = original.openSync(file, 'w');
    original.writeSync(fd, JSON.stringify(counts));
    original.closeSync(fd);
  }
}

function die() {
  process.kill(process.pid, 'SIGKILL');
  // The signal may reach another thread first; this one does nothing more.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const creates = (flags) =>
  typeof flags === 'number' ? (flags & fs.constants.O_CREAT) !== 0 : /[wa]/.test(String(flags ?? 'r'));

/** A rename or link counts by the new name: it is the moment at which something appears. */
const byPath = { rename: 1, link: 1, unlink: 0, mkdir: 0, rmdir: 0, rm: 0, chmod: 0, chown: 0, utimes: 0 };

function traceCalls(trace) {
  for (const [name, at] of Object.entries(byPath)) {
    const now = fs[`${name}Sync`];
    fs[`${name}Sync`] = (...args) => trace.on(args[at], () => now(...args));
    const later = promises[name];
    promises[name] = (...args) => trace.on(args[at], () => later(...args));
  }
  const { lstat } = promises;
  promises.lstat = (...args) => trace.look(args[0], () => lstat(...args));
}

function traceDescriptors(trace) {
  const paths = new Map();
  const { openSync, closeSync, writeSync } = original;
  fs.openSync = (path, flags, mode) => {
    const open = () => openSync(path, flags, mode);
    const fd = creates(flags) ? trace.on(path, open) : open();
    paths.set(fd, path);
    return fd;
  };
  fs.closeSync = (fd) => {
    paths.delete(fd);
    closeSync(fd);
  };
  fs.writeSync = (fd, bytes, ...rest) => {
    const write = () => writeSync(fd, bytes, ...rest);
    const [offset = 0, length = bytes.byteLength - offset, position] = rest;
    if (typeof offset !== 'number' || typeof bytes === 'string') return write();
    return trace.on(paths.get(fd), write, () => writeSync(fd, bytes, offset, length >> 1, position));
  };
  for (const name of ['fsyncSync', 'ftruncateSync', 'fchmodSync', 'fchownSync']) {
    const call = original[name];
    fs[name] = (fd, ...args) => trace.on(paths.get(fd), () => call(fd, ...args));
  }
}

async function traceHandles(trace) {
  const paths = new WeakMap();
  const { open } = promises;
  const handle = await open(process.execPath);
  const shape = Object.getPrototypeOf(handle);
  await handle.close();
  promises.open = async (path, flags, mode) => {
    const make = () => open(path, flags, mode);
    const made = await (creates(flags) ? trace.on(path, make) : make());
    paths.set(made, path);
    return made;
  };
  const { write, writeFile } = shape;
  shape.write = function (bytes, offset = 0, length = bytes.byteLength - offset, position = null) {
    const put = (count) => write.call(this, bytes, offset, count, position);
    return trace.on(
      paths.get(this),
      () => put(length),
      () => put(length >> 1),
    );
  };
  shape.writeFile = function (content, ...rest) {
    const half = content.slice(0, content.length >> 1);
    const put = (what) => writeFile.call(this, what, ...rest);
    return trace.on(
      paths.get(this),
      () => put(content),
      () => put(half),
    );
  };
  for (const name of ['sync', 'truncate', 'chmod', 'chown']) {
    const call = shape[name];
    shape[name] = function (...args) {
      return trace.on(paths.get(this), () => call.apply(this, args));
    };
  }
}

/** The SQLite inside Node makes its calls out of sight: there its statements that commit are counted. */
function traceSqlite(trace) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 22 || (major === 22 && minor < 13)) return;
  const { DatabaseSync } = createRequire(import.meta.url)('node:sqlite');
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (sql) {
    const run = () => exec.call(this, sql);
    return /COMMIT/.test(sql) ? trace.on('state.db', run) : run();
  };
}

if (order) {
  const trace = new Trace(order);
  traceCalls(trace);
  traceDescriptors(trace);
  await traceHandles(trace);
  traceSqlite(trace);
  syncBuiltinESMExports();
  globalThis[Symbol.for(shared)] = trace;
}
