// Plain JavaScript: mocha loads its reporter before TypeScript can be read.
import Mocha from 'mocha';

/** The spec reporter, and as its last line `12 passed, 0 failed, 1 skipped`. */
export default class ClosingLineReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    // Behind the epilogue of the spec reporter, which listens to the same event.
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
    });
  }
}
