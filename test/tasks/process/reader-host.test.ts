import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { processEnvironment } from '../../../src/tasks/process/child.ts';
import { ReaderHost } from '../../../src/tasks/process/reader-host.ts';
import type { RepositoryAssignment } from '../../../src/tasks/kinds/assignment.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const idleMs = 180_000;
const answerMs = 60_000;
let clock: FakeClock;
let host: ReaderHost;

beforeEach(() => {
  clock = new FakeClock();
  const entry = { caller: import.meta.url, module: './reader.fixture' };
  const surroundings = { clock, environment: processEnvironment(process.env) };
  host = new ReaderHost({ entry, stateDirectory: '/nowhere', idleMs, answerMs }, surroundings, silentLogger);
});
afterEach(() => {
  host.close();
});

function repository(name: string): RepositoryAssignment {
  return { name, location: { type: 'filesystem', path: '/nas' }, secrets: { password: 'p' }, readOnly: false };
}

/** The id of the process that answers. */
async function answering(name = 'nas'): Promise<string | undefined> {
  return (await host.ask(repository(name), { type: 'snapshots' }))[0]?.id;
}

function look(id: string): Promise<unknown> {
  return host.ask(repository('nas'), { type: 'snapshot', id });
}

describe('readers', () => {
  it('are one process for a repository, and stay warm', async () => {
    const first = await answering();
    expect(await Promise.all([answering(), answering()])).toEqual([first, first]);
    expect(await answering('disk')).not.toBe(first);
  });

  it('hand on what the reader met: code, words and hint', async () => {
    await expect(look('1234')).rejects.toMatchObject({
      code: 'not-found',
      message: 'there is no snapshot 1234',
      hint: 'Look again.',
    });
  });

  it('that die fail the questions under way; the next one has a new process', async () => {
    const first = await answering();
    const all = await Promise.allSettled([look('die'), look('1234')]);
    expect(all).toMatchObject([{ reason: { code: 'task.crashed' } }, { reason: { code: 'task.crashed' } }]);
    expect(await answering()).not.toBe(first);
  });

  it('that give no answer in time are replaced at once', async () => {
    const first = await answering();
    const hanging = look('hang');
    const failed = expect(hanging).rejects.toMatchObject({ code: 'storage.timeout', retry: 'later' });
    await clock.advance(answerMs);
    await failed;
    expect(await answering()).not.toBe(first);
  });

  it('that nobody asks end, and a question at that very moment is answered by a new one', async () => {
    const first = await answering();
    await clock.advance(idleMs);
    expect(await answering()).not.toBe(first);
  });

  it('of a changed repository end; a closed host refuses', async () => {
    const first = await answering();
    host.forget('nas');
    expect(await answering()).not.toBe(first);
    host.close();
    await expect(answering()).rejects.toMatchObject({ code: 'usage' });
  });
});
