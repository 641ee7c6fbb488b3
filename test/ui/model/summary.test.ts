import { describe, expect, it } from 'vitest';
import type { StatusView, SubjectState } from '../../../src/daemon/api/contract.ts';
import { summaryOf } from '../../../ui/src/model/summary.ts';
import { calm, empty, full } from '../support/fixtures.ts';

const now = 1_790_000_000_000;
const good = calm(now).status;

function withState(state: SubjectState, count = 1): StatusView {
  return { ...good, backups: good.backups.map((backup, at) => (at < count ? { ...backup, state } : backup)) };
}

describe('the sentence at the top', () => {
  it('says that all is well', () => {
    expect(summaryOf(good, now)).toMatchObject({ tone: 'good', headline: 'All 4 backups are OK' });
  });

  it.each([
    ['failed', 'bad', 'Backup datacenter failed'],
    ['interrupted', 'bad', 'Backup datacenter interrupted'],
    ['overdue', 'bad', 'Backup datacenter overdue'],
    ['warning', 'notice', 'Backup datacenter ended with warnings'],
    ['never', 'quiet', 'Backup datacenter never ran'],
  ] as const)('names the one that is %s', (state, tone, headline) => {
    expect(summaryOf(withState(state), now)).toMatchObject({ tone, headline });
  });

  it('counts when there are several', () => {
    expect(summaryOf(withState('failed', 3), now).headline).toBe('3 of 4 backups failed');
  });

  it('lets the worst state win, that of a single repository too', () => {
    expect(summaryOf(full(now).status, now)).toMatchObject({ tone: 'bad', headline: 'Backup database failed' });
    const [first, ...others] = good.backups;
    const broken = first && {
      ...first,
      repositories: first.repositories.map((line, at) => (at === 1 ? { ...line, state: 'failed' as const } : line)),
    };
    expect(summaryOf({ ...good, backups: broken ? [broken, ...others] : [] }, now).tone).toBe('bad');
  });

  it('judges a backup that runs by how it ended last', () => {
    const [first, ...others] = withState('running').backups;
    const failed = first?.last && { ...first, last: { ...first.last, state: 'failed' as const } };
    expect(summaryOf({ ...good, backups: failed ? [failed, ...others] : [] }, now).headline).toBe(
      'Backup datacenter failed',
    );
    expect(summaryOf(withState('running'), now).tone).toBe('good');
  });

  it('tells what would be lost most, and what comes next', () => {
    expect(summaryOf(full(now).status, now).details).toEqual([
      'Least recent commit: database → nas, 3 hours ago',
      'Next run in 13 minutes',
    ]);
  });

  it('says that nothing is configured', () => {
    expect(summaryOf(empty(now).status, now).headline).toBe('No backups are configured');
  });
});
