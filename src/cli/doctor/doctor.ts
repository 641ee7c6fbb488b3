/** All examinations, in the order in which a person would look. */
import { messageOf, NesteggError } from '../../core/errors.ts';
import { formatDuration } from '../../core/units.ts';
import { repositoryAssignment } from '../../daemon/config/assignments.ts';
import type { Config } from '../../daemon/config/config.ts';
import type { StatusView } from '../../daemon/api/contract.ts';
import type { RepositoryAssignment } from '../../tasks/kinds/assignment.ts';
import { implementations } from '../../engine/index.ts';
import { examineRepository, type EngineAround } from '../../tasks/kinds/open.ts';
import { engineAround } from '../direct.ts';
import type { Session } from '../session.ts';
import { bad, well, type Finding } from './finding.ts';
import { datastore, node, stateFolder, watches } from './machine.ts';

const mostSkewMs = 5 * 60_000;

export async function doctorFindings(session: Session): Promise<readonly Finding[]> {
  const findings: Finding[] = [node(process.versions.node), ...(await programParts())];
  const config = await configuration(session, findings);
  if (config === undefined) return findings;
  findings.push(...(await stateFolder(config.daemon.state)), await daemon(session));
  for (const { source } of Object.values(config.backups)) findings.push(await datastore(source));
  findings.push(await watches(config));
  const around = await engineAround(session);
  for (const name of Object.keys(config.repositories)) {
    findings.push(...(await repository(repositoryAssignment(config, name), around)));
  }
  return findings;
}

/** Which of two implementations is in use: the bytes are the same, the speed is not. */
async function programParts(): Promise<readonly Finding[]> {
  return (await implementations()).map(({ part, inUse, fastest }): Finding => {
    if (inUse === fastest) return well(part, inUse, fastest);
    const advice = `\`npm install --include=optional\` with a compiler installed gives ${fastest}.`;
    return { what: part, measured: inUse, threshold: fastest, verdict: 'fair', advice };
  });
}

async function configuration(session: Session, findings: Finding[]): Promise<Config | undefined> {
  try {
    const config = await session.config();
    findings.push(well('configuration', config.file, 'valid'));
    return config;
  } catch (error) {
    const advice =
      (error instanceof NesteggError ? error.hint : undefined) ?? '`nestegg config check` shows all errors.';
    findings.push(bad('configuration', messageOf(error).split('\n')[0] ?? '', advice, 'valid'));
    return undefined;
  }
}

/** A daemon that does not run is no illness, but a person wants to know. */
async function daemon(session: Session): Promise<Finding> {
  try {
    const status = await (await session.client()).get<StatusView>('/status');
    const { problem } = status.daemon.configuration;
    if (problem) {
      const why = problem.message.split('\n')[0] ?? '';
      return bad(
        'daemon',
        `runs with an older configuration: ${why}`,
        '`nestegg config check`, then reload.',
        'answers',
      );
    }
    const upMs = status.daemon.nowMs - status.daemon.startedMs;
    return well('daemon', `version ${status.daemon.version}, up ${formatDuration(upMs)}`, 'answers');
  } catch {
    const advice = 'Start it: `nestegg daemon`. Without it nothing runs by itself.';
    return { what: 'daemon', measured: 'does not answer', threshold: 'answers', verdict: 'fair', advice };
  }
}

async function repository(assignment: RepositoryAssignment, around: EngineAround): Promise<readonly Finding[]> {
  const what = `repository ${assignment.name}`;
  try {
    const startedMs = around.clock.monotonic();
    const found = await examineRepository(assignment, around);
    const tookMs = around.clock.monotonic() - startedMs;
    const measured = `${String(found.snapshots)} snapshots, opened in ${formatDuration(tookMs)}`;
    return [
      found.warnings.length === 0
        ? well(what, measured, 'opens')
        : bad(
            what,
            `${measured}: ${found.warnings.join('; ')}`,
            `nestegg check --repository ${assignment.name}`,
            'opens',
          ),
      ...skew(assignment.name, found.clockSkewMs),
    ];
  } catch (error) {
    const advice = (error instanceof NesteggError ? error.hint : undefined) ?? 'Check the address and the credentials.';
    return [bad(what, messageOf(error), advice, 'opens')];
  }
}

function skew(name: string, skewMs: number | undefined): readonly Finding[] {
  if (skewMs === undefined) return [];
  const what = `clock of ${name}`;
  const measured = `${formatDuration(Math.abs(skewMs))} ${skewMs < 0 ? 'behind' : 'ahead'}`;
  const threshold = `at most ${formatDuration(mostSkewMs)}`;
  if (Math.abs(skewMs) <= mostSkewMs) return [well(what, measured, threshold)];
  return [bad(what, measured, 'Let this machine keep its time: `timedatectl set-ntp true`.', threshold)];
}
