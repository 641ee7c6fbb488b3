/** Entry of a task process: started by `TaskHost` and by nothing else. */
import { systemClock } from '../../core/clock.ts';
import { systemRandom } from '../../core/random.ts';
import { taskKindRunners } from '../kinds/registry.ts';
import { hostLink, runTaskProcess } from './task-process.ts';

await runTaskProcess(taskKindRunners, hostLink(), systemClock, systemRandom);
// Workers and connections of a finished task must not keep the process.
process.exit(0);
