/** What the page shows, and how a live event changes it. */
import type {
  EndedTaskView,
  LiveEvent,
  QueueView,
  RunningTaskView,
  StatusView,
  TaskPage,
  TaskView,
} from '../../../src/daemon/api/contract.ts';

export interface LiveData {
  readonly status: StatusView;
  readonly queue: QueueView;
  /** Ended tasks, newest first. */
  readonly recent: readonly EndedTaskView[];
}

export const shownResults = 12;

function isRunning(task: TaskView): task is RunningTaskView {
  return task.state === 'running' || task.state === 'aborting';
}

function isEnded(task: TaskView): task is EndedTaskView {
  return task.state !== 'queued' && !isRunning(task);
}

export function endedOf(page: TaskPage): readonly EndedTaskView[] {
  return page.tasks.filter(isEnded).slice(0, shownResults);
}

function put<T extends { readonly id: string }>(list: readonly T[], item: T): T[] {
  return list.some(({ id }) => id === item.id)
    ? list.map((other) => (other.id === item.id ? item : other))
    : [...list, item];
}

function withTask(data: LiveData, task: TaskView): LiveData {
  const others = <T extends { readonly id: string }>(list: readonly T[]) => list.filter(({ id }) => id !== task.id);
  const { status, queue, recent } = data;
  // An event about a running task carries no progress; what is known stays until the next one.
  const known = queue.running.find(({ id }) => id === task.id)?.progress;
  const running = isRunning(task)
    ? put(queue.running, task.progress === undefined && known ? { ...task, progress: known } : task)
    : others(queue.running);
  return {
    status: { ...status, running },
    queue: { ...queue, running, waiting: task.state === 'queued' ? put(queue.waiting, task) : others(queue.waiting) },
    recent: isEnded(task) ? [task, ...others(recent)].slice(0, shownResults) : recent,
  };
}

/** The data after an event, the same object when nothing changes. What only the server knows is loaded anew: `reloads`. */
export function applyEvent(data: LiveData, event: LiveEvent): LiveData {
  switch (event.type) {
    case 'task':
      return withTask(data, event.task);
    case 'progress': {
      const running = data.queue.running.map((task) =>
        task.id === event.id ? { ...task, progress: event.progress } : task,
      );
      return { ...data, status: { ...data.status, running }, queue: { ...data.queue, running } };
    }
    case 'hello':
    case 'reset':
    case 'status':
    case 'warning':
      return data;
  }
}

/** States of backups and repositories, and the reasons of waiting tasks, are the server's to tell. */
export function reloads(event: LiveEvent): boolean {
  return event.type === 'task' || event.type === 'status' || event.type === 'reset';
}
