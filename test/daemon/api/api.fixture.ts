/** A small, whole service in memory: two tasks, one backup, two repositories. */
import { NesteggError, NotFoundError, UsageError } from '../../../src/core/errors.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { LogFields, Logger } from '../../../src/core/logger.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { PauseTarget, SnapshotView, StatusView, TaskView } from '../../../src/daemon/api/contract.ts';
import { EventHub } from '../../../src/daemon/api/event-hub.ts';
import type { Access } from '../../../src/daemon/api/guard.ts';
import { createApi } from '../../../src/daemon/api/server.ts';
import type { ApiService, Caller } from '../../../src/daemon/api/service.ts';
import type { RunRequest } from '../../../src/daemon/api/contract.ts';
import { Scrubber } from '../../../src/daemon/log/scrubber.ts';

export const token = new Secret(`nestegg_${'5'.repeat(64)}`);
/** A repository password: must never be seen in any answer. */
export const canary = 'canary of a password';
export const bearer = { authorization: `Bearer ${token.reveal()}` };
export const json = { ...bearer, 'content-type': 'application/json' };
export const tokenAccess: Access = { type: 'token', token, hosts: ['127.0.0.1', 'localhost', '[::1]'] };

export const queued: TaskView = {
  id: '01j00000000000000000000001',
  kind: 'backup',
  subject: { type: 'backup', backup: 'datacenter' },
  repositories: ['nas', 'sia'],
  priority: 0,
  trigger: { kind: 'api' },
  attempt: 1,
  merged: 0,
  createdMs: 1_000,
  state: 'queued',
};

const status: StatusView = {
  daemon: {
    version: '0.1.0',
    device: 'pbs1',
    timeZone: 'Europe/Paris',
    startedMs: 1,
    nowMs: 2,
    stopping: false,
    concurrency: 2,
    configuration: { file: '/etc/nestegg/config.yml', loadedMs: 1 },
  },
  backups: [],
  repositories: [],
  running: [],
  waiting: 0,
};

const snapshot: SnapshotView = {
  id: 'a'.repeat(32),
  repository: 'nas',
  backup: 'datacenter',
  group: '|vm/100',
  item: '1700000000',
  timeMs: 1_700_000_000_000,
  sizeBytes: 4096,
  damaged: false,
  committedMs: 1_700_000_001_000,
};

export interface Asked {
  readonly request: RunRequest;
  readonly caller: Caller;
}

export class FakeService implements ApiService {
  readonly asked: Asked[] = [];

  async status(): Promise<StatusView> {
    return status;
  }
  async queue() {
    return { running: [], waiting: [], slots: { used: 0, total: 2 }, pauses: [] };
  }
  async tasks() {
    return { tasks: [queued] };
  }
  async task(id: string): Promise<TaskView> {
    if (id !== queued.id) throw new NotFoundError(`there is no task ${id}`, { hint: 'See `nestegg tasks`.' });
    return queued;
  }
  async log() {
    return { lines: [], dropped: 0 };
  }
  async run(request: RunRequest, caller: Caller) {
    if (request.kind === 'backup' && request.backup === 'bug') throw new Error(`a stack with ${canary}`);
    if (request.kind === 'backup' && request.backup === 'leak') {
      throw new NesteggError('storage.refused', `refused: ${canary}`, { context: { url: `https://x/?p=${canary}` } });
    }
    if (request.kind === 'backup' && request.backup === 'wrong') throw new UsageError('there is no such backup');
    this.asked.push({ request, caller });
    return { task: queued, merged: false };
  }
  async cancel() {
    return queued;
  }
  async retry() {
    return { task: queued, merged: false };
  }
  async move() {
    return queued;
  }
  async pause(what: PauseTarget, caller: Caller) {
    return { what, by: caller.name, sinceMs: 1 };
  }
  async resume() {
    return this.queue();
  }
  async setPriority() {
    return queued;
  }
  async snapshots() {
    return { snapshots: [snapshot], total: 1 };
  }
  async snapshot() {
    return { ...snapshot, device: 'pbs1', run: 'b'.repeat(32), startedMs: 1, endedMs: 2, files: [] };
  }
  async reload() {
    return status.daemon.configuration;
  }
}

export interface Line {
  readonly event: string;
  readonly fields: LogFields;
}

export function recordingLogger(lines: Line[]): Logger {
  const write = (event: string, fields: LogFields = {}): void => void lines.push({ event, fields });
  return { debug: write, info: write, warn: write, error: write, with: () => recordingLogger(lines) };
}

export async function startApi(access: Access, options: { readonly uiFolder?: string; readonly replay?: number } = {}) {
  const service = new FakeService();
  const hub = new EventHub('boot1', { replay: options.replay ?? 100, behind: 100, clients: 3 });
  const lines: Line[] = [];
  const scrubber = new Scrubber();
  scrubber.learn([canary]);
  const app = await createApi(
    {
      service,
      hub,
      log: recordingLogger(lines),
      clock: systemClock,
      version: '0.1.0',
      uiFolder: options.uiFolder ?? '/nowhere',
      scrub: (text) => scrubber.scrub(text),
    },
    access,
  );
  return { app, service, hub, lines };
}
