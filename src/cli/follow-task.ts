/** Hands a request to the daemon and, with `--wait`, follows it to its end. */
import { isCancellation } from '../core/errors.ts';
import type { EndedTaskView, RunAnswer, RunRequest, TaskView } from '../daemon/api/contract.ts';
import type { ApiClient } from './api-client.ts';
import { printResult } from './direct.ts';
import { followTask, isEnded } from './follow.ts';
import { ProgressLine } from './progress-line.ts';
import type { Session } from './session.ts';
import { stateWord, subjectText, waitingText } from './words.ts';

export async function askDaemon(session: Session, request: RunRequest, wait: boolean): Promise<number> {
  const client = await session.client();
  const answer = await client.post<RunAnswer>('/tasks', request);
  return reportTask(session, client, answer, wait);
}

export async function reportTask(
  session: Session,
  client: ApiClient,
  { task, merged }: RunAnswer,
  wait: boolean,
): Promise<number> {
  const { output } = session;
  if (!wait) {
    output.object({ type: 'task', task, merged });
    output.line(`${merged ? 'Joined waiting task' : 'Queued as task'} ${task.id} (${subjectText(task)})`);
    return 0;
  }
  output.object({ type: 'task', task, merged });
  return printResult(session, (await follow(session, client, task)).result);
}

/** Shows progress until the task ended. */
export async function follow(session: Session, client: ApiClient, task: TaskView): Promise<EndedTaskView> {
  if (isEnded(task)) return task;
  const { world, output } = session;
  const line = new ProgressLine(world.stderr, world.clock);
  let shown = '';
  try {
    const handlers = {
      progress: (progress: Parameters<ProgressLine['update']>[0]) => {
        output.object({ type: 'progress', id: task.id, progress });
        if (!output.json) line.update(progress);
      },
      state: (now: TaskView) => {
        const text = now.state === 'queued' ? `Queued: ${waitingText(now.waiting)}` : stateWord(now.state);
        if (text === shown || isEnded(now)) return;
        shown = text;
        line.clear();
        output.note(`${task.id} ${text}`);
      },
    };
    return await followTask(client, task.id, handlers, world);
  } catch (error) {
    line.clear();
    if (isCancellation(error)) output.note(`The task goes on; \`nestegg tasks cancel ${task.id}\` stops it.`);
    throw error;
  } finally {
    line.clear();
  }
}
