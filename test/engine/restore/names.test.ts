import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { commonNamespace, placeOf } from '../../../src/engine/restore/names.ts';
import { testRecord } from '../../support/repository.ts';

describe('where snapshots go', () => {
  it.each([
    [['a/b'], 'a/b'],
    [['a/b', 'a/c'], 'a'],
    [['a/b', 'a/b/c'], 'a/b'],
    [['ab', 'a'], ''],
    [['', 'a'], ''],
    [[], ''],
  ])('the common namespace of %j is %j', (namespaces, common) => {
    expect(commonNamespace(namespaces)).toBe(common);
  });

  it.each([
    ['a/b', 'a/b', undefined, 'a/b'],
    ['a/b', 'a/b', 'x', 'x'],
    ['a/b/c', 'a', 'x/y', 'x/y/b/c'],
    ['a/b', 'a', '', 'b'],
    ['a', '', 'x', 'x/a'],
  ])('%j, of common %j, into %j goes to %j', (namespace, common, target, expected) => {
    expect(placeOf(testRecord('1', { namespace }), common, target).namespace).toBe(expected);
  });

  it('refuses what PBS would not take', () => {
    expect(() => placeOf(testRecord('1', { namespace: 'a' }), 'a', '../etc')).toThrow(UsageError);
    expect(() => placeOf(testRecord('1', { namespace: 'a/b/c/d' }), '', 'e/f/g/h')).toThrow(UsageError);
  });
});
