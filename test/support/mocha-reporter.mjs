// Plain JavaScript: mocha loads its reporter before TypeScript can be read.
import Mocha from 'mocha';

/**
 * The spec reporter, and as its last line `12 passed, 0 failed, 1 skipped`. Tests with real audio
 * in real time are tried again on a machine that did something else meanwhile: each such
 * failure is named before that line, so that none is hidden.
 */
export default class ClosingLineReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const retried = [];
    runner.on(Mocha.Runner.constants.EVENT_TEST_RETRY, (test, error) => {
      const [why = ''] = String(error?.message ?? error).split('\n');
      retried.push(`  ${test.fullTitle()}: ${why}`);
    });
    // Behind the epilogue of the spec reporter, which listens to the same event.
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      if (retried.length > 0) {
        process.stdout.write(
          `${retried.length} failures that were tried again:\n${retried.join('\n')}\n`,
        );
      }
      process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
    });
  }
}
