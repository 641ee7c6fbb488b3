/** Follows one task of the daemon to its end. */
import type { Clock } from '../core/clock.ts';
import type { ApiClient } from './api-client.ts';
import type { EndedTaskView, TaskProgress, TaskView } from '../daemon/api/contract.ts';

const againMs = 500;

export interface FollowHandlers {
  progress(progress: TaskProgress): void;
  state(task: TaskView): void;
}

/**
 * Answers the task as it ended. The stream of events only shortens the wait: after each break the task itself is read.
 * @throws CancelledError when aborted; the task goes on then.
 */
export async function followTask(
  client: ApiClient,
  id: string,
  handlers: FollowHandlers,
  around: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<EndedTaskView> {
  for (;;) {
    const ended = await oneStream(client, id, handlers, around.signal);
    if (ended) return ended;
    await around.clock.sleep(againMs, { signal: around.signal });
  }
}

async function oneStream(
  client: ApiClient,
  id: string,
  handlers: FollowHandlers,
  signal: AbortSignal,
): Promise<EndedTaskView | undefined> {
  for await (const event of client.events(signal)) {
    if (event.type === 'progress' && event.id === id) handlers.progress(event.progress);
    const task =
      event.type === 'hello' || event.type === 'reset'
        ? await client.get<TaskView>(`/tasks/${id}`)
        : event.type === 'task' && event.task.id === id
          ? event.task
          : undefined;
    if (task === undefined) continue;
    handlers.state(task);
    if (isEnded(task)) return task;
  }
  return undefined;
}

export function isEnded(task: TaskView): task is EndedTaskView {
  return 'result' in task;
}
