import type { Command } from 'commander';
import type { RunAnswer, TaskLog, TaskPage, TaskView } from '../../daemon/api/contract.ts';
import { formatDuration, formatSize } from '../../core/units.ts';
import { isEnded } from '../follow.ts';
import { follow, reportTask } from '../follow-task.ts';
import { printResult } from '../direct.ts';
import { plain } from '../output.ts';
import { parseLimit } from '../parse.ts';
import type { Session } from '../session.ts';
import { stateWord, subjectText, timeText, waitingText } from '../words.ts';
import type { Run } from './command.ts';
import { cancelTask } from './queue.ts';

interface ListOptions {
  readonly limit: number;
  readonly kind?: string;
  readonly state?: string;
  readonly backup?: string;
}

export function addTasks(program: Command, run: Run): void {
  const tasks = program.command('tasks').description('history and live log');
  tasks
    .command('list', { isDefault: true })
    .description('tasks, newest first')
    .option('--limit <rows>', 'at most so many', parseLimit, 30)
    .option('--kind <kind>', 'only of this kind')
    .option('--state <state>', 'only in this state')
    .option('--backup <name>', 'only of this backup')
    .action((options: ListOptions) => run((session) => list(session, options)));
  tasks
    .command('show')
    .description('one task with its result')
    .argument('<task>')
    .action((id: string) => run((session) => show(session, id)));
  tasks
    .command('log')
    .description('the log of a task')
    .argument('<task>')
    .action((id: string) => run((session) => log(session, id)));
  tasks
    .command('wait')
    .description('follow a task to its end')
    .argument('<task>')
    .action((id: string) => run((session) => wait(session, id)));
  tasks
    .command('cancel')
    .description('take a task out of the queue, or stop it')
    .argument('<task>')
    .action((id: string) => run((session) => cancelTask(session, id)));
  tasks
    .command('retry')
    .description('repeat what did not go well in an ended task')
    .argument('<task>')
    .option('--wait', 'wait for the end')
    .action((id: string, options: { readonly wait?: true }) =>
      run((session) => retry(session, id, options.wait === true)),
    );
}

const largestPage = 500;

async function list(session: Session, options: ListOptions): Promise<number> {
  const client = await session.client();
  const { kind, state, backup } = options;
  const found: TaskView[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(largestPage, options.limit - found.length);
    const query = { limit, kind, state, backup, cursor, repository: session.options.repository };
    const page: TaskPage = await client.get('/tasks', query);
    found.push(...page.tasks);
    cursor = page.next;
  } while (cursor !== undefined && found.length < options.limit);
  session.output.rows(
    found.slice(0, options.limit),
    [
      { title: 'TASK', value: ({ id }) => id },
      { title: 'STATE', value: ({ state: now }) => stateWord(now) },
      { title: 'WHAT', value: subjectText },
      { title: 'STARTED', value: (task) => timeText('startedMs' in task ? task.startedMs : undefined) },
      { title: 'TOOK', align: 'right', value: (task) => (isEnded(task) ? formatDuration(task.result.durationMs) : '') },
      { title: 'STORED', align: 'right', value: (task) => (isEnded(task) ? storedText(task) : '') },
      { title: 'BY', value: ({ trigger }) => trigger.kind },
    ],
    'No tasks.',
  );
  return 0;
}

function storedText(task: TaskView): string {
  const parts = isEnded(task) ? task.result.repositories : [];
  return formatSize(parts.reduce((total, part) => total + part.storedBytes, 0));
}

async function one(session: Session, id: string): Promise<TaskView> {
  return (await session.client()).get<TaskView>(`/tasks/${encodeURIComponent(id)}`);
}

async function show(session: Session, id: string): Promise<number> {
  const { output } = session;
  const task = await one(session, id);
  output.object(task);
  output.line(`${task.id}: ${subjectText(task)} to ${task.repositories.join(', ')}`);
  const detail = task.trigger.detail === undefined ? '' : ` (${task.trigger.detail})`;
  output.line(
    `  asked for by ${task.trigger.kind}${detail} at ${timeText(task.createdMs)}, attempt ${String(task.attempt)}`,
  );
  if (isEnded(task)) {
    output.line(`  ended at ${timeText(task.endedMs)}`);
    if (!output.json) printResult(session, task.result);
  } else if (task.state === 'queued') output.line(`  Queued: ${waitingText(task.waiting)}`);
  else output.line(`  ${stateWord(task.state)} since ${timeText(task.startedMs)}`);
  return 0;
}

async function log(session: Session, id: string): Promise<number> {
  const { output } = session;
  const found = await (await session.client()).get<TaskLog>(`/tasks/${encodeURIComponent(id)}/log`);
  for (const line of found.lines) {
    output.object(line);
    output.line(`${timeText(line.timeMs)} ${line.level} ${line.event} ${plain(JSON.stringify(line.fields))}`);
  }
  if (found.dropped > 0) output.note(`${String(found.dropped)} more lines were dropped: the log of a task is bounded.`);
  if (found.lines.length === 0) output.line('No log.');
  return 0;
}

async function wait(session: Session, id: string): Promise<number> {
  const ended = await follow(session, await session.client(), await one(session, id));
  return printResult(session, ended.result);
}

async function retry(session: Session, id: string, waiting: boolean): Promise<number> {
  const client = await session.client();
  const answer = await client.post<RunAnswer>(`/tasks/${encodeURIComponent(id)}/retry`, {});
  return reportTask(session, client, answer, waiting);
}
