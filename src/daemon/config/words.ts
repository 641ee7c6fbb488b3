/** The words values are written in: durations, sizes, schedules, secrets, names; as parts of the schema. */
import { z } from 'zod';
import { parseDuration, parseSize } from '../../core/units.ts';
import { parseSchedule } from '../../triggers/schedule.ts';
import { unknownKeyMessages } from './suggestions.ts';

/** A mapping that takes no other keys; one line of message for each unknown key, in the order of the issue's keys. */
export function block<Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return unknownKeyMessages(issue.keys, Object.keys(shape)).join('\n');
      return 'a mapping (`key: value`) is needed';
    },
  });
}

export const text = (what: string): z.ZodString => z.string({ error: `${what} is needed` }).min(1, `${what} is needed`);

/** Names become parts of addresses, so they are kept plain. */
export const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'a name is 1 to 64 letters, digits, `.`, `_` or `-`, and begins with a letter or digit',
  );

/** Milliseconds. */
export const duration = parsed('a duration such as `90s`, `15m`, `6h`, `1d` or `2w`', parseDuration, ['12h', '1h30m']);

/** Bytes. */
export const size = parsed('a size such as `50M` or `1.5G` (K, M, G, T count in powers of 1024)', parseSize, ['50M']);

export const count = (least: number, most?: number): z.ZodInt => {
  const what = most === undefined ? `a whole number of at least ${least}` : `a whole number from ${least} to ${most}`;
  const number = z.int({ error: `${what} is needed` }).min(least, `${what} is needed`);
  return most === undefined ? number : number.max(most, `${what} is needed`);
};

export const yesNo = z.boolean({ error: '`true` or `false` is needed' });

export const choice = <const Options extends readonly [string, ...string[]]>(options: Options) => z.enum(options);

export const schedule = z
  .string({ error: 'a schedule is a text: `1d`, `"0 3 * * *"` or `"sat 12:00"`' })
  .transform((written, context) => {
    const parsedSchedule = parseSchedule(written);
    if (parsedSchedule.ok) return { kind: parsedSchedule.kind, text: written.trim() };
    context.addIssue({ code: 'custom', message: `\`${written}\` is not a schedule: ${parsedSchedule.why}` });
    return z.NEVER;
  });

export const schedules = z.array(schedule, { error: 'a list of schedules is needed, such as `[1d]`' });

const namedPriorities = ['immediate', 'next', 'superior', 'normal', 'inferior', 'on-idle'] as const;

export const priority = z
  .union([z.enum(namedPriorities), z.int()], {
    error: `a priority is a whole number, or one of ${namedPriorities.join(', ')}`,
  })
  .transform((value) => (value === 'normal' ? 0 : value));

/** Where a secret comes from. Resolved later (`secrets.ts`), so that one bad file does not hide other problems. */
export type SecretSource =
  | { readonly from: 'text'; readonly text: string }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'credential'; readonly name: string };

const secretForms =
  'a secret is a text (best `${NAME}` from the environment), `{ file: PATH }` or `{ credential: NAME }`';

export const secret = z
  .union(
    [z.string().min(1, 'the secret is empty'), block({ file: text('a path') }), block({ credential: text('a name') })],
    {
      error: secretForms,
    },
  )
  .transform((value): SecretSource => {
    if (typeof value === 'string') return { from: 'text', text: value };
    return 'file' in value ? { from: 'file', path: value.file } : { from: 'credential', name: value.credential };
  });

export const url = text('an address').regex(/^https?:\/\/[^\s/?#]+/, 'an address starts with `http://` or `https://`');

/** PBS group filter: `[include:|exclude:](type:vm|ct|host | group:TYPE/ID | regex:RE)`. */
export const groupFilter = z
  .string({ error: 'a group filter is a text such as `type:vm`' })
  .superRefine((filter, context) => {
    const why = groupFilterFault(filter);
    if (why !== undefined) context.addIssue({ code: 'custom', message: `\`${filter}\` is not a group filter: ${why}` });
  });

function groupFilterFault(filter: string): string | undefined {
  const [, kind, value = ''] = /^([a-z]+):(.*)$/s.exec(filter) ?? [];
  switch (kind) {
    case 'type':
      return /^(vm|ct|host)$/.test(value) ? undefined : 'the type is `vm`, `ct` or `host`';
    case 'group':
      return /^(vm|ct|host)\/[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(value) ? undefined : 'a group is written `vm/100`';
    case 'regex':
      return regexFault(value);
    default:
      return 'it begins with `type:`, `group:` or `regex:`';
  }
}

function regexFault(expression: string): string | undefined {
  try {
    new RegExp(expression, 'u');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function parsed(what: string, parse: (written: string) => number | undefined, examples: readonly string[]) {
  return z
    .string({ error: `${what} is needed` })
    .meta({ examples })
    .transform((written, context) => {
      const value = parse(written);
      if (value !== undefined) return value;
      context.addIssue({ code: 'custom', message: `\`${written}\` is not ${what}` });
      return z.NEVER;
    });
}
