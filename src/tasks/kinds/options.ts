/** Options of requests, checked once more where they are used: they may come from a queue of an older version. */
import { z } from 'zod';
import { UsageError } from '../../core/errors.ts';
import type { TaskOptions } from '../task.ts';

const backup = z.object({
  allowDamaged: z.boolean().optional(),
  groups: z.array(z.string()).optional(),
});

const check = z.object({
  mode: z.enum(['structure', 'data']).default('structure'),
  share: z.number().gt(0).max(1).default(1),
});

const restore = z.object({
  snapshots: z.array(z.string()).min(1),
  target: z.object({ type: z.literal('datastore'), directory: z.string().min(1), namespace: z.string().optional() }),
});

/** @throws UsageError, like the others. */
export const backupOptions = (options: TaskOptions) => parse(backup, options);
export const checkOptions = (options: TaskOptions) => parse(check, options);
export const restoreOptions = (options: TaskOptions) => parse(restore, options);

function parse<Schema extends z.ZodType>(schema: Schema, options: TaskOptions): z.output<Schema> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  throw new UsageError(`the options of this task are wrong: ${z.prettifyError(parsed.error)}`);
}
