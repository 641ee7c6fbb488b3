import type { Clock } from '../../core/clock.ts';
import { taskId, type TaskId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * Makes task ids like ULIDs: 10 letters of time, 16 of chance, in Crockford's alphabet. Ids of one maker sort in the
 * order in which they were made, also within a millisecond and when the clock steps back.
 */
export function taskIdMaker(clock: Clock, random: Random): () => TaskId {
  let lastMs = 0;
  return () => {
    lastMs = Math.max(clock.now(), lastMs + 1);
    let time = '';
    for (let left = lastMs, i = 0; i < 10; i += 1, left = Math.floor(left / 32))
      time = (alphabet[left % 32] ?? '') + time;
    const chance = [...random.bytes(16)].map((byte) => alphabet[byte % 32] ?? '').join('');
    return taskId(time + chance);
  };
}
