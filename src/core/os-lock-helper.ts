/** The implementation of `OsLocks`: one perl process, started by the first lock, that speaks in lines. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { NesteggError, messageOf, systemCode } from './errors.ts';
import type { OsLock, OsLocks } from './os-lock.ts';

/**
 * Requests: `<n> <flock|fcntl> <shared|exclusive> <path in hex>` and `<n> release`. Answers: `<n> held <device> <inode>`,
 * `<n> busy`, `<n> failed <reason>`, `<n> released`. 37 is F_OFD_SETLK; a lock of length 0 covers the whole file. It is
 * deaf to the signals that a terminal sends to everybody, so that the locks outlive the orderly end of their owner.
 */
const program = String.raw`
use strict; use warnings; use Fcntl qw(:DEFAULT :flock);
$SIG{$_} = 'IGNORE' for qw(INT TERM HUP QUIT PIPE);
$| = 1;
my %held;
while (my $line = <STDIN>) {
  my ($n, $kind, $mode, $hex) = split ' ', $line;
  if ($kind eq 'release') { delete $held{$n}; print "$n released\n"; next }
  my $path = pack 'H*', $hex;
  my $file;
  if (!sysopen($file, $path, O_RDWR | O_NONBLOCK) && !sysopen($file, $path, O_RDONLY | O_NONBLOCK)) {
    print "$n failed $!\n"; next;
  }
  my $exclusive = $mode eq 'exclusive';
  my $locked = $kind eq 'flock'
    ? flock($file, ($exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB)
    : fcntl($file, 37, pack('s s x!8 q q i x!8', $exclusive ? F_WRLCK : F_RDLCK, 0, 0, 0, 0));
  if (!$locked) { print $!{EAGAIN} || $!{EACCES} ? "$n busy\n" : "$n failed $!\n"; next }
  my ($device, $inode) = stat $file;
  $held{$n} = $file;
  print "$n held $device $inode\n";
}
`;

export interface OsLocksOptions {
  /** The perl to start. */
  readonly command?: string | undefined;
}

/** Locks through a helper process, which does not keep this process alive. */
export function createOsLocks(options: OsLocksOptions = {}): OsLocks {
  return new HelperLocks(options.command ?? 'perl');
}

class HelperLocks implements OsLocks {
  readonly #command: string;
  #helper: Helper | undefined;
  #closed = false;

  constructor(command: string) {
    this.#command = command;
  }

  async acquire(
    path: string,
    mode: 'shared' | 'exclusive',
    kind: 'flock' | 'fcntl' = 'flock',
  ): Promise<OsLock | undefined> {
    if (this.#closed)
      throw new NesteggError('internal', `the lock of ${path} was asked for after all locks were closed`);
    if (this.#helper?.ended.aborted !== false) this.#helper = new Helper(this.#command);
    const helper = this.#helper;
    const { number, answer } = helper.ask(`${kind} ${mode} ${Buffer.from(path).toString('hex')}`);
    const [state, ...rest] = (await answer).split(' ');
    if (state === 'busy') return undefined;
    const [device = '', inode = ''] = rest;
    if (state !== 'held' || !/^\d+$/.test(device) || !/^\d+$/.test(inode)) {
      throw new NesteggError('lock.failed', `${path} cannot be locked: ${rest.join(' ')}`, { context: { path } });
    }
    return new HelperLock(helper, number, path, BigInt(device), BigInt(inode));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#helper?.close();
  }
}

class HelperLock implements OsLock {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
  readonly lost: AbortSignal;
  readonly #helper: Helper;
  readonly #number: number;
  #released: Promise<void> | undefined;

  constructor(helper: Helper, number: number, path: string, device: bigint, inode: bigint) {
    this.#helper = helper;
    this.#number = number;
    this.path = path;
    this.device = device;
    this.inode = inode;
    this.lost = helper.ended;
  }

  release(): Promise<void> {
    this.#released ??= this.#helper.release(this.#number);
    return this.#released;
  }
}

interface Waiting {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: unknown) => void;
}

/** One helper process. It counts as in use, and keeps this process alive, only while an answer is outstanding. */
class Helper {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, Waiting>();
  readonly #end = new AbortController();
  readonly #exited: Promise<void>;
  #failure: unknown;
  #last = 0;

  constructor(command: string) {
    this.#child = spawn(command, ['-e', program], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    });
    this.#child.on('error', (error) => {
      this.#failure = error;
    });
    // A write to a helper that has just ended: its exit is what is reported.
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.on('data', (text: Buffer) => {
      this.#failure ??= new Error(text.toString('utf8').trim());
    });
    createInterface(this.#child.stdout).on('line', (line) => {
      this.#answer(line);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.on('close', () => {
        this.#fail();
        resolve();
      });
    });
    this.#keepAlive(false);
  }

  /** Aborted when the process has ended, with every lock it held. */
  get ended(): AbortSignal {
    return this.#end.signal;
  }

  ask(request: string): { readonly number: number; readonly answer: Promise<string> } {
    const number = ++this.#last;
    return { number, answer: this.#send(number, request) };
  }

  async release(number: number): Promise<void> {
    if (this.ended.aborted) return;
    await this.#send(number, 'release').catch((error: unknown) => {
      // The helper ended meanwhile, and the lock with it.
      if (!this.ended.aborted) throw error;
    });
  }

  async close(): Promise<void> {
    this.#keepAlive(true);
    this.#child.stdin.end();
    await this.#exited;
  }

  #send(number: number, request: string): Promise<string> {
    if (this.ended.aborted) return Promise.reject(this.#reason());
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#keepAlive(true);
      this.#child.stdin.write(`${String(number)} ${request}\n`);
    });
  }

  #answer(line: string): void {
    const space = line.indexOf(' ');
    const number = Number(line.slice(0, space));
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (this.#waiting.size === 0) this.#keepAlive(false);
    waiting?.resolve(line.slice(space + 1));
  }

  #fail(): void {
    this.#end.abort();
    for (const waiting of this.#waiting.values()) waiting.reject(this.#reason());
    this.#waiting.clear();
  }

  #reason(): NesteggError {
    const missing = systemCode(this.#failure) === 'ENOENT';
    const reason = missing
      ? 'perl is not installed'
      : `the helper process ended: ${messageOf(this.#failure ?? 'killed')}`;
    return new NesteggError('lock.failed', `files cannot be locked: ${reason}`, {
      cause: this.#failure,
      ...(missing ? { hint: 'Install perl (Debian: apt install perl-base).' } : { retry: 'later' as const }),
    });
  }

  #keepAlive(wanted: boolean): void {
    const parts: { ref(): unknown; unref(): unknown }[] = [this.#child];
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      if (isHandle(stream)) parts.push(stream);
    }
    for (const part of parts) {
      if (wanted) part.ref();
      else part.unref();
    }
  }
}

/** Pipes of a child process are sockets, which the types of Node do not say. */
function isHandle(stream: object): stream is { ref(): unknown; unref(): unknown } {
  return 'ref' in stream && typeof stream.ref === 'function' && 'unref' in stream && typeof stream.unref === 'function';
}
