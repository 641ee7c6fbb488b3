/** The schemas of what clients send. Unknown keys are refused. */
import { z } from 'zod';
import { taskKinds, type TaskState } from '../../tasks/task.ts';
import type {
  MoveRequest,
  PauseRequest,
  PauseTarget,
  Priority,
  PriorityRequest,
  RunRequest,
  SnapshotQuery,
  TaskQuery,
} from './contract.ts';

/** Names of the configuration, ids, prefixes: short texts without control characters. */
const shortText = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]+$/u, 'must not contain control characters');

const priority: z.ZodType<Priority> = z.union([
  z.enum(['immediate', 'next', 'superior', 'inferior', 'on-idle']),
  z.literal('normal').transform(() => 0),
  z.int().min(-1_000_000).max(1_000_000),
]);

const states = [
  'queued',
  'running',
  'aborting',
  'done',
  'warning',
  'failed',
  'cancelled',
  'interrupted',
  'skipped',
] as const satisfies readonly TaskState[];

/** A page size in a query: text of digits. */
const pageSize = (most: number) => z.coerce.number().int().min(1).max(most);

const directory = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^\/[^\0]*$/, 'must be an absolute path');

const some = z.array(shortText).min(1).max(1000);

export const runRequest = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('backup'),
    backup: shortText,
    to: some.exactOptional(),
    groups: some.exactOptional(),
    priority: priority.exactOptional(),
    full: z.boolean().exactOptional(),
    allowDamaged: z.boolean().exactOptional(),
    dryRun: z.boolean().exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('check'),
    repository: shortText,
    mode: z.enum(['structure', 'data']),
    share: z.number().gt(0).max(1).exactOptional(),
    priority: priority.exactOptional(),
  }),
  z.strictObject({
    kind: z.enum(['rebuild-index', 'probe']),
    repository: shortText,
    priority: priority.exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('restore'),
    repository: shortText,
    snapshots: some,
    target: z.strictObject({
      type: z.literal('datastore'),
      directory,
      namespace: z.string().max(256).exactOptional(),
    }),
    priority: priority.exactOptional(),
  }),
]) satisfies z.ZodType<RunRequest>;

export const taskQuery = z.strictObject({
  cursor: shortText.exactOptional(),
  limit: pageSize(500).exactOptional(),
  kind: z.enum(taskKinds).exactOptional(),
  state: z.enum(states).exactOptional(),
  backup: shortText.exactOptional(),
  repository: shortText.exactOptional(),
}) satisfies z.ZodType<TaskQuery>;

export const snapshotQuery = z.strictObject({
  cursor: shortText.exactOptional(),
  limit: pageSize(1000).exactOptional(),
  backup: shortText.exactOptional(),
  group: z.string().max(1024).exactOptional(),
}) satisfies z.ZodType<SnapshotQuery>;

export const priorityRequest = z.strictObject({ priority }) satisfies z.ZodType<PriorityRequest>;

export const moveRequest = z.strictObject({
  place: z.union([
    z.enum(['first', 'last']),
    z.strictObject({ before: shortText }),
    z.strictObject({ after: shortText }),
  ]),
}) satisfies z.ZodType<MoveRequest>;

const pauseTarget = z.custom<PauseTarget>(
  (value) => typeof value === 'string' && /^(?:queue|(?:backup|repository) [^\p{Cc}]{1,200})$/u.test(value),
  'must be `queue`, `backup NAME` or `repository NAME`',
);

export const pauseRequest = z.strictObject({ what: pauseTarget }) satisfies z.ZodType<PauseRequest>;

/** For requests without parameters. */
export const nothing = z.strictObject({});

export const byId = z.strictObject({ id: shortText });
export const byName = z.strictObject({ name: shortText });
export const byNameAndId = z.strictObject({ name: shortText, id: shortText });
