/** The side of the reader process: opens one repository, answers one question after the other, closes when it is told to. */
import type { Logger } from '../../core/logger.ts';
import type { RepositoryAssignment } from '../kinds/assignment.ts';
import { problemOf } from '../../core/problem.ts';
import type { RepositoryReader, RepositoryRequest } from '../kinds/read-repository.ts';
import { linkLogger, type HostLink } from './task-process.ts';

export type ReaderFactory = (
  repository: RepositoryAssignment,
  stateDirectory: string | undefined,
  log: Logger,
) => RepositoryReader;

/** Serves until the host closes the channel, which ends the process. */
export function serveReader(make: ReaderFactory, link: HostLink): void {
  let reader: RepositoryReader | undefined;
  let last: Promise<void> = Promise.resolve();
  link.onMessage((message) => {
    if (message.type === 'open') reader = make(message.repository, message.stateDirectory, linkLogger(link));
    if (message.type === 'request') {
      const { id, request } = message;
      // One at a time: the second question finds what the first one has loaded.
      last = last.then(() => answer(reader, id, request, link));
    }
  });
}

async function answer(
  reader: RepositoryReader | undefined,
  id: number,
  request: RepositoryRequest,
  link: HostLink,
): Promise<void> {
  try {
    if (reader === undefined) throw new TypeError('a request came before `open`');
    await link.send({ type: 'answer', id, answer: await answerTo(reader, request) });
  } catch (error) {
    await link.send({ type: 'refused', id, problem: problemOf(error) });
  }
}

function answerTo(reader: RepositoryReader, request: RepositoryRequest): Promise<unknown> {
  switch (request.type) {
    case 'snapshots':
      return reader.snapshots();
    case 'snapshot':
      return reader.snapshot(request.id);
  }
}
