/**
 * The whole vocabulary, also of parts that are not built yet (`unavailable.ts` refuses those): what is valid, what the
 * JSON Schema says, and what "did you mean" knows. Descriptions show up in editors. Defaults are in `defaults.ts`.
 */
import { z } from 'zod';
import {
  block,
  choice,
  count,
  duration,
  groupFilter,
  name,
  priority,
  schedules,
  secret,
  size,
  text,
  url,
  yesNo,
} from './words.ts';

const list = <Item extends z.ZodType>(item: Item) => z.array(item, { error: 'a list is needed: `[one, two]`' });

export const keep = block({
  last: count(0).optional(),
  hourly: count(0).optional(),
  daily: count(0).optional(),
  weekly: count(0).optional(),
  monthly: count(0).optional(),
  yearly: count(0).optional(),
  within: duration.optional(),
}).describe('Which snapshots of each group stay. Empty keeps all.');

const limits = block({
  time: duration.optional().describe('A task that runs longer is stopped and fails.'),
  retries: count(0, 100).optional().describe('How often a failure that may pass is tried again.'),
  threads: count(1, 256).optional(),
  nice: count(-20, 19).optional(),
  io: choice(['idle', 'best-effort']).optional(),
});

const rate = block({ upload: size.optional(), download: size.optional(), weight: count(1, 1000).optional() });
const httpHook = block({
  url,
  method: choice(['GET', 'POST', 'PUT']).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.string().optional(),
});
const hook = block({
  command: list(text('a command')).min(1).optional(),
  http: httpHook.optional(),
  timeout: duration.optional(),
  retries: count(0, 100).optional(),
  onFailure: choice(['ignore', 'continue', 'break']).optional(),
  when: choice(['success', 'warning', 'failure', 'always']).optional(),
});

const maintenanceTask = { schedules: schedules.optional(), priority: priority.optional() };

const repositoryBase = {
  password: secret.describe('Opens the key slot of this repository.'),
  packSize: z.union([z.literal('auto'), size], { error: 'a size such as `16M`, or `auto`, is needed' }).optional(),
  compression: z
    .union([choice(['auto', 'off']), count(1, 19)], { error: '`auto`, `off` or a level from 1 to 19 is needed' })
    .optional(),
  concurrency: count(1, 256).optional().describe('Requests at once.'),
  readOnly: yesNo.optional(),
  commitEvery: duration.optional().describe('How often a running backup commits what it has.'),
  check: block({ ...maintenanceTask, everyByteWithin: duration.optional() }).optional(),
  bandwidth: rate.optional(),
  gc: block({ ...maintenanceTask, grace: duration.optional() }).optional(),
  goal: block({ verified: duration.optional(), offsite: duration.optional() }).optional(),
  budget: block({
    egress: size.optional(),
    requests: count(1).optional(),
    per: choice(['day', 'week', 'month']).optional(),
    stop: yesNo.optional(),
  }).optional(),
};

const bucket = {
  endpoint: url,
  bucket: text('the name of a bucket'),
  prefix: z.string().optional(),
  accessKey: secret,
  secretKey: secret,
};

const gateway = block({
  api: url,
  password: secret,
  databaseCopy: block({ to: list(name), schedules: schedules.optional() }).optional(),
});

const repositoryOptions = [
  block({ type: z.literal('filesystem'), path: text('a path'), ...repositoryBase }),
  block({
    type: z.literal('s3'),
    ...bucket,
    region: text('a region').optional(),
    maintenance: block({ accessKey: secret, secretKey: secret }).optional(),
    ...repositoryBase,
  }),
  block({
    type: z.literal('sia'),
    ...bucket,
    gateway: gateway.optional(),
    offsite: block({ every: duration.optional() }).optional(),
    ...repositoryBase,
  }),
] as const;

export const repository = z.discriminatedUnion('type', repositoryOptions);

const pbsSource = block({
  type: z.literal('pbs'),
  datastore: text('the path of a datastore'),
  include: list(groupFilter).optional(),
  exclude: list(groupFilter).optional(),
  namespaces: block({ root: z.string().optional(), depth: count(0, 7).optional() }).optional(),
  snapshots: z
    .union([z.literal('all'), block({ last: count(1) })], { error: '`all` or `{ last: N }` is needed' })
    .optional(),
  verify: choice(['digest', 'crc']).optional(),
  lock: block({ max: duration.optional() }).optional(),
});
const filesSource = block({
  type: z.literal('files'),
  paths: list(text('a path')).min(1),
  exclude: list(text('a pattern')).optional(),
  oneFileSystem: yesNo.optional(),
});
const commandSource = block({
  type: z.literal('command'),
  command: list(text('a command')).min(1),
  filename: text('a file name').optional(),
});

const settle = block({ min: duration.optional(), max: duration.optional() });

/** What `defaults` may hold: everything of a backup but what makes it one. */
const backupOptions = {
  watch: block({ settle: settle.optional() }).optional(),
  schedules: schedules.optional(),
  catchUp: choice(['once', 'all', 'skip']).optional(),
  window: text('a time window').optional(),
  priority: priority.optional(),
  bandwidth: rate.optional(),
  keep: keep.optional(),
  prune: block(maintenanceTask).optional(),
  drill: block(maintenanceTask).optional(),
  limits: limits.optional(),
  goal: block({ age: duration.optional() }).optional(),
  hooks: block({ before: list(hook).optional(), after: list(hook).optional() }).optional(),
  allowDamaged: yesNo.optional(),
};

/** A name, a name with overrides, or a repository of its own. */
const override = block({ name, keep: keep.optional() });
const inline = z.discriminatedUnion('type', [
  repositoryOptions[0].extend({ name: name.optional() }),
  repositoryOptions[1].extend({ name: name.optional() }),
  repositoryOptions[2].extend({ name: name.optional() }),
]);

export const backup = block({
  source: z.discriminatedUnion('type', [pbsSource, filesSource, commandSource]),
  repositories: list(z.union([name, override, inline])).min(1, 'a backup needs at least one repository'),
  ...backupOptions,
});

const channel = z.looseObject({ type: text('the type of the channel') });
const rule = block({ on: list(text('an event')), to: list(name), every: duration.optional() });

export const vocabulary = block({
  device: text('a name').optional().describe('Name of this machine in snapshots. Default: the host name.'),
  timezone: text('a time zone').optional().describe('For all schedules, as `Europe/Paris`. Default: the system.'),
  daemon: block({
    listen: text('an address').optional(),
    state: text('a path').optional().describe('Queue, history and caches. Nothing in it is needed to restore.'),
    concurrency: count(1, 64).optional().describe('Tasks that may run at once.'),
    history: duration.optional().describe('How long ended tasks are kept.'),
    tls: block({ cert: text('a path'), key: text('a path') }).optional(),
    behindProxy: yesNo.optional(),
    roots: block({ restore: list(text('a path')).optional(), browse: list(text('a path')).optional() }).optional(),
    readOnly: yesNo.optional(),
    allowRemoteCommands: yesNo.optional(),
  }).optional(),
  log: block({
    level: choice(['debug', 'info', 'warn', 'error']).optional(),
    format: choice(['json', 'ecs', 'pretty']).optional(),
    file: block({ path: text('a path'), size: size.optional(), keep: count(1).optional() }).optional(),
  }).optional(),
  bandwidth: block({
    upload: size.optional(),
    download: size.optional(),
    schedule: list(
      block({ when: text('a time window'), upload: size.optional(), download: size.optional() }),
    ).optional(),
  }).optional(),
  notifications: block({ channels: z.record(name, channel).optional(), rules: list(rule).optional() }).optional(),
  defaults: block(backupOptions).optional().describe('Merged under every backup.'),
  repositories: z.record(name, repository, { error: 'a mapping from names to repositories is needed' }).optional(),
  backups: z.record(name, backup, { error: 'a mapping from names to backups is needed' }).optional(),
});

export type Vocabulary = z.output<typeof vocabulary>;
export type VocabularyRepository = z.output<typeof repository>;
export type VocabularyBackup = z.output<typeof backup>;

/** For editors: the header of a file names it as `# yaml-language-server: $schema=...`. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(vocabulary, { io: 'input', target: 'draft-7' });
}
