/** Tasks about one repository: check, rebuild-index, restore, probe. */
import { runId } from '../../core/ids.ts';
import { toHex } from '../../core/bytes.ts';
import type { OsLocks } from '../../core/os-lock.ts';
import { checkRepository, rebuildIndex, restoreSnapshots, type OpenRepository } from '../../engine/index.ts';
import type { TaskProblem } from '../task.ts';
import { openAssigned, probeAssigned, withLocks, type EngineAround } from './open.ts';
import { checkOptions, restoreOptions } from './options.ts';
import { resultOf } from './results.ts';
import { selectSnapshots } from './select-snapshots.ts';
import type { RepositoryTaskAssignment, TaskContext, TaskKindRunner } from './task-kind.ts';
import { threadsFor } from './threads.ts';

type Runner = TaskKindRunner<RepositoryTaskAssignment>;

const listedProblems = 200;

export const checkRunner: Runner = {
  run: (assignment, context) =>
    resultOf(assignment, context, () =>
      withRepository(assignment, context, async (repository) => {
        const { mode, share } = checkOptions(assignment.options);
        const report = await checkRepository(repository, {
          mode: mode === 'data' ? { type: 'data', share } : { type: 'structure' },
          markDamaged: !assignment.repository.readOnly,
          clock: context.clock,
          random: context.random,
          progress: counting(context),
          signal: context.signal,
        });
        const { problems, incomplete, marked, ...counts } = report;
        const found = problems.map(({ kind, subject, detail }): TaskProblem => ({
          code: 'repository.corrupt',
          message: `${kind} ${subject}: ${detail}`,
          context: { kind, subject },
        }));
        for (const problem of found) context.warning(problem);
        return {
          // A snapshot that cannot be restored completely is more than a warning.
          state:
            incomplete.length > 0 ? ('failed' as const) : found.length > 0 ? ('warning' as const) : ('done' as const),
          readBytes: report.readBytes,
          items: report.snapshots,
          warnings: found.slice(0, listedProblems),
          moreWarnings: Math.max(0, found.length - listedProblems),
          details: { ...counts, incomplete, markedPacks: marked.packs.length, markedBlobs: marked.blobs.length },
          ...(incomplete.length === 0 ? {} : { problem: incompleteProblem(incomplete.length) }),
        };
      }),
    ),
};

function incompleteProblem(count: number): TaskProblem {
  return {
    code: 'repository.corrupt',
    message: `${String(count)} snapshots cannot be restored completely`,
    hint: 'The damage is marked: the next backup stores again what the source still has.',
  };
}

export const rebuildIndexRunner: Runner = {
  run: (assignment, context) =>
    resultOf(assignment, context, () =>
      withRepository(assignment, context, async (repository) => {
        const tell = counting(context);
        const { listed, added, addedBlobs, refused } = await rebuildIndex(repository, {
          run: runId(toHex(context.random.bytes(16))),
          random: context.random,
          progress: (done, total) => {
            tell('packs', done, total);
          },
          signal: context.signal,
        });
        const warnings = refused.map(({ pack, reason }): TaskProblem => ({
          code: 'repository.foreign',
          message: `pack ${pack} was left out: ${reason}`,
          context: { pack },
        }));
        for (const problem of warnings) context.warning(problem);
        return {
          state: warnings.length > 0 ? ('warning' as const) : ('done' as const),
          items: added,
          warnings: warnings.slice(0, listedProblems),
          moreWarnings: Math.max(0, warnings.length - listedProblems),
          details: { listed, added, addedBlobs, refused: refused.length },
        };
      }),
    ),
};

export const restoreRunner: Runner = {
  run: (assignment, context) =>
    resultOf(assignment, context, () =>
      withRepository(
        assignment,
        context,
        async (repository, osLocks) => {
          const { snapshots, target } = restoreOptions(assignment.options);
          const report = await restoreSnapshots({
            repository,
            snapshots: selectSnapshots(repository.snapshots(), snapshots),
            target: { datastore: target.directory, namespace: target.namespace },
            options: {
              dryRun: false,
              allowDamaged: false,
              otherOwner: 'refuse',
              threads: threadsFor(undefined),
              clock: context.clock,
              random: context.random,
              logger: context.log,
              osLocks,
            },
            events: {
              progress: (progress) => {
                context.progress({ ...progress, uploadedBytes: 0 });
              },
              warning: (problem) => {
                context.warning(problem);
              },
            },
            signal: context.signal,
          });
          return restored(report);
        },
        true,
      ),
    ),
};

function restored(report: Awaited<ReturnType<typeof restoreSnapshots>>) {
  const refused = report.refused.map(({ snapshot, problem }): TaskProblem => ({
    ...problem,
    message: `${snapshot} was not restored: ${problem.message}`,
  }));
  const pieces = report.quarantined.map((piece): TaskProblem => ({
    code: 'restore.incomplete',
    message: `${piece.snapshot}: a part of ${piece.file} could not be read: ${piece.reason}`,
    context: { ...piece },
  }));
  const warnings = [...refused, ...pieces];
  return {
    state: report.state,
    readBytes: report.counts.fetchedBytes,
    items: report.restored.length,
    chunks: report.counts.written,
    warnings: warnings.slice(0, listedProblems),
    moreWarnings: report.moreQuarantined + Math.max(0, warnings.length - listedProblems),
    details: { restored: report.restored, skipped: report.skipped, ...report.counts },
    ...(report.problem === undefined ? {} : { problem: report.problem }),
  };
}

export const probeRunner: Runner = {
  run: (assignment, context) =>
    resultOf(assignment, context, async () => {
      const report = await probeAssigned(assignment.repository, aroundOf(assignment, context));
      const bad = report.checks.filter(({ verdict }) => verdict === 'bad');
      const warnings = bad.map(({ name, detail }): TaskProblem => ({
        code: 'storage.unsupported',
        message: `${name}: ${detail}`,
      }));
      return { state: bad.length > 0 ? ('warning' as const) : ('done' as const), warnings, details: { ...report } };
    }),
};

function aroundOf(assignment: RepositoryTaskAssignment, context: TaskContext): EngineAround {
  const { clock, random, log, signal } = context;
  const { stateDirectory } = assignment;
  return { clock, random, log, signal, ...(stateDirectory === undefined ? {} : { stateDirectory }) };
}

/** Opens, works, closes. `readOnly` when nothing is to be written whatever the configuration allows. */
function withRepository<Answer>(
  assignment: RepositoryTaskAssignment,
  context: TaskContext,
  work: (repository: OpenRepository, locks: OsLocks) => Promise<Answer>,
  readOnly = assignment.repository.readOnly,
): Promise<Answer> {
  return withLocks(async (locks) => {
    const opened = await openAssigned({ ...assignment.repository, readOnly }, aroundOf(assignment, context), locks);
    try {
      return await work(opened, locks);
    } finally {
      await opened.close();
    }
  });
}

/** Progress in things instead of bytes. */
function counting(context: TaskContext): (phase: string, done: number, total: number) => void {
  return (phase, done, total) => {
    const counts = { doneItems: done, totalItems: total, doneBytes: 0, uploadedBytes: 0, bytesPerSecond: 0 };
    context.progress({ phase, ...counts });
  };
}
