import { spawn } from 'node:child_process';

/**
 * Runs a program, shows its output as it comes, and resolves with the whole output. Rejects when the program fails or when
 * its output matches `refuse`.
 */
export function run(program, args, { cwd = process.cwd(), env = process.env, refuse } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8').on('data', (text) => {
        output += text;
        process[stream].write(text);
      });
    }
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const line = [program, ...args].join(' ');
      if (code !== 0) reject(new StepError(`${line} ended with ${signal ?? code}`, output));
      else if (refuse?.test(output)) reject(new StepError(`${line} printed what matches ${refuse}`, output));
      else resolve(output);
    });
  });
}

class StepError extends Error {
  constructor(message, output) {
    super(message);
    this.output = output;
  }
}

const totalsLine = /^(\d+) passed, (\d+) failed, (\d+) skipped$/gm;

/** Adds up steps and suites, and says at the end how it went. */
export class Totals {
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  /** One step: passed or failed. Returns whether it passed. */
  async step(name, work) {
    return (await this.#attempt(name, work)).ok;
  }

  /** A step that ends with a totals line of its own; without one it counts as one failure. */
  async suites(name, work) {
    const { ok, output } = await this.#attempt(name, work);
    const last = [...(output ?? '').matchAll(totalsLine)].at(-1);
    const [passed = 0, failed = 0, skipped = 0] = last?.slice(1).map(Number) ?? [];
    this.#passed += passed;
    this.#skipped += skipped;
    this.#failed += failed;
    // Already counted as one failed step; the failed tests stand for themselves.
    if (!ok && failed > 0) this.#failed -= 1;
    if (ok && last === undefined) this.#failed += 1;
    return ok;
  }

  skip(reason) {
    console.log(`SKIPPED ${reason}`);
    if (process.env.CI === 'true') this.#failed += 1;
    else this.#skipped += 1;
  }

  report() {
    if (this.#failed > 0) process.exitCode = 1;
    console.log(`${this.#passed} passed, ${this.#failed} failed, ${this.#skipped} skipped`);
  }

  async #attempt(name, work) {
    const started = performance.now();
    console.log(`--- ${name}`);
    try {
      const output = await work();
      this.#passed += 1;
      console.log(`--- ${name}: ok, ${seconds(started)} s`);
      return { ok: true, output };
    } catch (error) {
      this.#failed += 1;
      console.log(`--- ${name}: FAILED after ${seconds(started)} s: ${error.message}`);
      return { ok: false, output: error.output };
    }
  }
}

const seconds = (started) => ((performance.now() - started) / 1000).toFixed(1);
