import { describe, expect, it } from 'vitest';
import { taskId } from '../../../src/core/ids.ts';
import { Secret } from '../../../src/core/secret.ts';
import { openLog } from '../../../src/daemon/log/log.ts';
import { Scrubber } from '../../../src/daemon/log/scrubber.ts';
import { logTaskEvent } from '../../../src/daemon/log/task-log.ts';
import type { EndedTask } from '../../../src/tasks/task.ts';

const canary = 'canary "quoted" of a password';

function record(level: 'debug' | 'info' = 'debug') {
  const written: string[] = [];
  const scrubber = new Scrubber();
  scrubber.learn([canary, 'short']);
  const log = openLog({ level, format: 'json' }, scrubber, { write: (line) => void written.push(line) });
  return { log, written, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('the log', () => {
  it('is one JSON object a line, with an event, a level, a time and all fields', () => {
    const { log, written, lines } = record();
    log.with({ task: 'a' }).with({ repository: 'nas' }).warn('storage.retry', { attempt: 2 });
    expect(written[0]?.endsWith('}\n')).toBe(true);
    expect(lines()).toMatchObject([
      { level: 'warn', event: 'storage.retry', task: 'a', repository: 'nas', attempt: 2 },
    ]);
    expect(String(lines()[0]?.['time'])).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('keeps to its level, which may change', () => {
    const { log, lines } = record('info');
    log.debug('a');
    log.setLevel('debug');
    log.debug('b');
    expect(lines().map(({ event }) => event)).toEqual(['b']);
  });

  it('never shows a secret, by type or by value, in whatever form', () => {
    const { log, written } = record();
    log.error('storage.failed', {
      secret: new Secret('by type'),
      text: `password=${canary}`,
      url: `https://x/?p=${encodeURIComponent(canary)}`,
      deep: { list: [canary], error: new Error(canary) },
    });
    log.info(`event with ${canary}`);
    const all = written.join('');
    expect(all).not.toContain(canary);
    expect(all).not.toContain('canary');
    expect(all).not.toContain('by type');
    for (const line of written) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });
});

describe('the end of a task', () => {
  it('is one line for each repository and one for the task, which say the same as the history', () => {
    const { log, lines } = record();
    const part = { storedBytes: 1, storedPacks: 1, newBlobs: 1, snapshots: ['s'] };
    const task: EndedTask = {
      id: taskId('01j00000000000000000000001'),
      request: {
        kind: 'backup',
        subject: { type: 'backup', backup: 'datacenter' },
        repositories: ['nas', 'sia'],
        priority: 0,
        trigger: { kind: 'cron', detail: '0 3 * * *' },
        options: {},
        retries: 2,
      },
      attempt: 1,
      createdMs: 1,
      merged: 0,
      state: 'failed',
      startedMs: 2,
      endedMs: 3,
      result: {
        state: 'failed',
        repositories: [
          { repository: 'nas', state: 'done', ...part },
          { repository: 'sia', state: 'failed', ...part, problem: { code: 'storage.timeout', message: 'slow' } },
        ],
        readBytes: 5,
        items: 1,
        chunks: 2,
        durationMs: 1,
        warnings: [{ code: 'source.corrupt', message: 'bad' }],
        moreWarnings: 4,
      },
    };
    logTaskEvent(log, { type: 'task.ended', task });
    const common = { task: task.id, kind: 'backup', backup: 'datacenter', trigger: 'cron', attempt: 1 };
    expect(lines()).toMatchObject([
      { ...common, event: 'task.repository', level: 'info', repository: 'nas', state: 'done' },
      { ...common, event: 'task.repository', level: 'error', repository: 'sia', problem: { code: 'storage.timeout' } },
      { ...common, event: 'task.ended', level: 'error', state: 'failed', readBytes: 5, warnings: 5 },
    ]);
  });
});
