/** The thread of the database: takes what has arrived, does it in one transaction, answers all of it at once. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { NesteggError } from '../../core/errors.ts';
import { SqliteQueueStore } from '../../tasks/queue/sqlite-store.ts';
import { chooseDriver } from './choose-driver.ts';
import { commitTogether } from './group-commit.ts';
import { openDatabase, type OpenedDatabase } from './open-database.ts';
import { type Answer, type Call, type FromThread, sendError, type ThreadSettings, type ToThread } from './protocol.ts';
import { SqliteTriggerStore } from './trigger-store.ts';

/** So long a group may get; the rest waits for the next one, so that no caller waits for thousands of others. */
const largestGroup = 1_000;

async function main(port: MessagePort): Promise<void> {
  const { path } = workerData as ThreadSettings;
  const send = (message: FromThread): void => {
    port.postMessage(message);
  };
  let opened: OpenedDatabase;
  try {
    opened = openDatabase(path, await chooseDriver());
  } catch (error) {
    send({ type: 'failed', error: sendError(error) });
    port.close();
    return;
  }
  serve(port, opened, send);
  send({ type: 'opened', driver: opened.database.driver, recovered: opened.recovered });
}

function serve(port: MessagePort, { database }: OpenedDatabase, send: (message: FromThread) => void): void {
  const stores = { queue: new SqliteQueueStore(database), triggers: new SqliteTriggerStore(database) };
  port.on('message', (first: ToThread) => {
    let next: ToThread | undefined = first;
    while (next) {
      const calls: Call[] = [];
      for (; next?.type === 'call' && calls.length < largestGroup; next = receive(port)) calls.push(next.call);
      if (calls.length > 0) send({ type: 'answers', answers: answer(calls) });
      if (next?.type === 'close') {
        stores.queue.close();
        stores.triggers.close();
        database.close();
        send({ type: 'closed' });
        port.close();
        return;
      }
    }
  });

  function answer(calls: readonly Call[]): readonly Answer[] {
    const outcomes = commitTogether(
      database,
      calls.map((call) => () => perform(stores[call.store], call)),
    );
    return outcomes.map((outcome, index): Answer => {
      const id = calls[index]?.id ?? 0;
      return outcome.ok ? { id, ok: true, value: outcome.value } : { id, ok: false, error: sendError(outcome.error) };
    });
  }
}

/** Names come from the typed client in `state.ts`; a wrong one is a bug. */
function perform(store: object, call: Call): unknown {
  const method: unknown = Reflect.get(store, call.method);
  if (typeof method !== 'function') throw new NesteggError('internal', `the ${call.store} has no ${call.method}`);
  return Reflect.apply(method, store, call.values);
}

function receive(port: MessagePort): ToThread | undefined {
  return (receiveMessageOnPort(port) as { readonly message: ToThread } | undefined)?.message;
}

if (parentPort) await main(parentPort);
