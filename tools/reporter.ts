import type { Reporter, TestModule } from 'vitest/node';

/**
 * Prints `N passed, N failed, N skipped` alone on the last line, and before it each skipped test by name. With CI=true a
 * skipped test fails the run: only the suites named in `maySkip` need what not every checkout has beside it.
 */
const maySkip = /engine\/pbs\/fixtures\.test\.ts$/;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

function count(modules: readonly TestModule[]): Counts & { readonly skippedInVain: readonly string[] } {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const skippedInVain: string[] = [];
  for (const module of modules) {
    let failedHere = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') counts.passed++;
      else if (state === 'failed') failedHere++;
      else {
        counts.skipped++;
        if (!maySkip.test(module.moduleId)) skippedInVain.push(`${module.relativeModuleId}: ${test.fullName}`);
      }
    }
    // A file that does not load, or a hook that fails, has no failed test of its own.
    counts.failed += failedHere === 0 && module.state() === 'failed' ? 1 : failedHere;
  }
  return { ...counts, skippedInVain };
}

export class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const { passed, failed, skipped, skippedInVain } = count(modules);
    for (const name of skippedInVain) console.log(`SKIPPED ${name}`);
    if (process.env.CI === 'true' && skippedInVain.length > 0) {
      console.log('with CI=true no test may be skipped: install what it needs');
      process.exitCode = 1;
    }
    const totals = `${passed} passed, ${failed + unhandled.length} failed, ${skipped} skipped`;
    // Printed last, after the summary of the default reporter.
    process.once('exit', () => console.log(totals));
  }
}
