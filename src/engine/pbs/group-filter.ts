/**
 * Group filters of PBS: `[include:|exclude:](type:<type> | group:<type>/<id> | regex:<expression>)`. A group is selected
 * when there is no include filter or one matches, and no exclude filter matches. Namespaces play no part.
 */
import { UsageError, messageOf } from '../../core/errors.ts';
import { isBackupType, isSafeId, type GroupName } from './layout.ts';

export interface GroupFilter {
  readonly exclude: boolean;
  /** As it was written, without `include:`. */
  readonly text: string;
  matches(group: Pick<GroupName, 'type' | 'id'>): boolean;
}

/** @throws UsageError (`config.invalid`) that says what is wrong with the text. */
export function parseGroupFilter(text: string): GroupFilter {
  const [, sign = '', kind = '', value = ''] = /^(include:|exclude:|)(type|group|regex):(.*)$/s.exec(text) ?? [];
  const exclude = sign === 'exclude:';
  const matches = matcher(kind, value, text);
  return { exclude, text: `${exclude ? sign : ''}${kind}:${value}`, matches };
}

export function isSelected(filters: readonly GroupFilter[], group: Pick<GroupName, 'type' | 'id'>): boolean {
  const includes = filters.filter((filter) => !filter.exclude);
  if (includes.length > 0 && !includes.some((filter) => filter.matches(group))) return false;
  return !filters.some((filter) => filter.exclude && filter.matches(group));
}

function matcher(kind: string, value: string, text: string): GroupFilter['matches'] {
  switch (kind) {
    case 'type':
      if (!isBackupType(value)) throw invalid(text, 'the type must be vm, ct or host');
      return (group) => group.type === value;
    case 'group': {
      const [type = '', id = '', ...more] = value.split('/');
      if (!isBackupType(type) || !isSafeId(id) || more.length > 0) throw invalid(text, 'a group is written as vm/100');
      return (group) => group.type === type && group.id === id;
    }
    case 'regex': {
      const expression = translate(value, text);
      return (group) => expression.test(`${group.type}/${group.id}`);
    }
    default:
      throw invalid(text, 'it must begin with type:, group: or regex:');
  }
}

/**
 * PBS uses the expressions of Rust. What both languages have means the same in both under the `u` flag; what only Rust
 * has is translated (leading flags, named groups) or refused, never read as something else.
 */
function translate(value: string, text: string): RegExp {
  const [flagged = '', flags = ''] = /^\(\?([ims]+)\)/.exec(value) ?? [];
  const body = value.slice(flagged.length).replaceAll('(?P<', '(?<');
  if (/\[\[:|&&|\(\?[a-zA-Z-]+[:)]/.test(body))
    throw invalid(text, 'POSIX classes, set operations and inner flags are not supported');
  try {
    return new RegExp(body, [...new Set(`u${flags}`)].join(''));
  } catch (error) {
    throw invalid(text, messageOf(error));
  }
}

function invalid(text: string, reason: string): UsageError {
  return new UsageError(`the group filter ${JSON.stringify(text)} is wrong: ${reason}`, {
    code: 'config.invalid',
    hint: 'Examples: type:vm, exclude:group:ct/101, regex:^vm/9',
  });
}
