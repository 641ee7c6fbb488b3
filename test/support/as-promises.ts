import type { Synchronous } from '../../src/tasks/queue/store.ts';

/** A store that answers at once, as one that answers later: every method settles in a turn of its own. */
export function asPromises<Store extends object>(store: Synchronous<Store>): Store {
  return new Proxy(store, {
    get: (target, method) => {
      const call: unknown = Reflect.get(target, method, target);
      if (typeof call !== 'function') return call;
      return async (...values: unknown[]): Promise<unknown> => {
        const answer: unknown = Reflect.apply(call, target, values);
        return Promise.resolve(answer);
      };
    },
  }) as unknown as Store;
}
