import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { isSelected, parseGroupFilter } from '../../../src/engine/pbs/group-filter.ts';

const groups = (['vm/100', 'vm/101', 'vm/900', 'ct/101', 'host/desk'] as const).map((text) => {
  const [type, id] = text.split('/') as ['vm' | 'ct' | 'host', string];
  return { type, id };
});

function selected(...filters: string[]): string[] {
  const parsed = filters.map(parseGroupFilter);
  return groups.filter((group) => isSelected(parsed, group)).map(({ type, id }) => `${type}/${id}`);
}

describe('group filters', () => {
  it.each<[string, string[], string[]]>([
    ['none: everything', [], ['vm/100', 'vm/101', 'vm/900', 'ct/101', 'host/desk']],
    ['a type', ['type:vm'], ['vm/100', 'vm/101', 'vm/900']],
    ['a group', ['group:ct/101'], ['ct/101']],
    ['two includes', ['type:ct', 'include:group:vm/100'], ['vm/100', 'ct/101']],
    ['an exclude alone', ['exclude:type:vm'], ['ct/101', 'host/desk']],
    ['an exclude beats an include', ['type:vm', 'exclude:regex:^vm/9'], ['vm/100', 'vm/101']],
    ['an expression is not anchored', ['regex:101'], ['vm/101', 'ct/101']],
    ['leading flags', ['regex:(?i)DESK'], ['host/desk']],
    ['named groups of Rust', ['regex:^(?P<type>ct)/'], ['ct/101']],
  ])('%s', (_, filters, expected) => {
    expect(selected(...filters)).toEqual(expected);
  });

  it('print without include:', () => {
    expect(parseGroupFilter('include:type:vm').text).toBe('type:vm');
    expect(parseGroupFilter('exclude:group:vm/1').text).toBe('exclude:group:vm/1');
  });

  it.each([
    'vm/100',
    'type:lxc',
    'group:vm',
    'group:vm/1/2',
    'group:vm/../x',
    'regex:(',
    'regex:[[:alpha:]]',
    'regex:\\A1',
    'not:type:vm',
  ])('%j is refused', (text) => {
    expect(() => parseGroupFilter(text)).toThrow(UsageError);
  });
});
