import type { Command } from 'commander';
import type { MoveRequest, PauseTarget, PauseView, QueueView, TaskView } from '../../daemon/api/contract.ts';
import { UsageError } from '../../core/errors.ts';
import { parsePriority } from '../parse.ts';
import type { Session } from '../session.ts';
import { stateWord, subjectText, timeText, waitingText } from '../words.ts';
import type { Run } from './command.ts';

export function addQueue(program: Command, run: Run): void {
  const queue = program.command('queue').description('what waits, in order, and why');
  queue
    .command('list', { isDefault: true })
    .description('all that runs and waits')
    .action(() => run(list));
  queue
    .command('cancel')
    .description('take a task out of the queue, or stop it')
    .argument('<task>')
    .action((id: string) => run((session) => cancelTask(session, id)));
  queue
    .command('move')
    .description('change the place of a waiting task')
    .argument('<task>')
    .argument('<place>', 'first, last, before:TASK or after:TASK')
    .action((id: string, place: string) => run((session) => move(session, id, place)));
  queue
    .command('priority')
    .description('change the priority of a waiting task')
    .argument('<task>')
    .argument('<priority>')
    .action((id: string, text: string) => run((session) => priority(session, id, text)));
  const target = 'queue, backup:NAME or repository:NAME (default: queue)';
  queue
    .command('pause')
    .description('start nothing more')
    .argument('[what]', target, 'queue')
    .action((what: string) => run((session) => pause(session, what)));
  queue
    .command('resume')
    .description('end a pause')
    .argument('[what]', target, 'queue')
    .action((what: string) => run((session) => resume(session, what)));
}

async function list(session: Session): Promise<number> {
  const client = await session.client();
  show(session, await client.get<QueueView>('/queue'));
  return 0;
}

function show(session: Session, queue: QueueView): void {
  const { output } = session;
  for (const pause of queue.pauses)
    output.line(`Paused: ${pause.what}, by ${pause.by} since ${timeText(pause.sinceMs)}`);
  const rows: readonly TaskView[] = [...queue.running, ...queue.waiting];
  output.rows(
    rows,
    [
      { title: 'TASK', value: ({ id }) => id },
      { title: 'STATE', value: ({ state }) => stateWord(state) },
      { title: 'WHAT', value: subjectText },
      { title: 'TO', value: ({ repositories }) => repositories.join(',') },
      { title: 'PRIORITY', value: (task) => String(task.priority) },
      { title: 'WHY', value: (task) => (task.state === 'queued' ? waitingText(task.waiting) : '') },
    ],
    'Nothing runs and nothing waits.',
  );
}

export async function cancelTask(session: Session, id: string): Promise<number> {
  const client = await session.client();
  const task = await client.post<TaskView>(`/tasks/${encodeURIComponent(id)}/cancel`, {});
  return told(session, task);
}

async function move(session: Session, id: string, place: string): Promise<number> {
  const client = await session.client();
  const request: MoveRequest = { place: parsePlace(place) };
  return told(session, await client.post<TaskView>(`/tasks/${encodeURIComponent(id)}/move`, request));
}

async function priority(session: Session, id: string, text: string): Promise<number> {
  const client = await session.client();
  const request = { priority: parsePriority(text) };
  return told(session, await client.post<TaskView>(`/tasks/${encodeURIComponent(id)}/priority`, request));
}

async function pause(session: Session, what: string): Promise<number> {
  const client = await session.client();
  const paused = await client.post<PauseView>('/queue/pause', { what: parseTarget(what) });
  session.output.object(paused);
  session.output.line(`Paused: ${paused.what}. What runs goes on.`);
  return 0;
}

async function resume(session: Session, what: string): Promise<number> {
  const client = await session.client();
  show(session, await client.post<QueueView>('/queue/resume', { what: parseTarget(what) }));
  return 0;
}

function told(session: Session, task: TaskView): number {
  session.output.object(task);
  session.output.line(`${task.id} ${stateWord(task.state)}, priority ${String(task.priority)}`);
  return 0;
}

function parsePlace(text: string): MoveRequest['place'] {
  if (text === 'first' || text === 'last') return text;
  const [, side, id] = /^(before|after):(.+)$/.exec(text) ?? [];
  if (side === 'before' && id !== undefined) return { before: id };
  if (side === 'after' && id !== undefined) return { after: id };
  throw new UsageError(`not a place: ${text}`, { hint: 'first, last, before:TASK or after:TASK.' });
}

function parseTarget(text: string): PauseTarget {
  if (text === 'queue') return text;
  const [, type, name] = /^(backup|repository):(.+)$/.exec(text) ?? [];
  if (type === 'backup' && name !== undefined) return `backup ${name}`;
  if (type === 'repository' && name !== undefined) return `repository ${name}`;
  throw new UsageError(`nothing to pause: ${text}`, { hint: 'queue, backup:NAME or repository:NAME.' });
}
