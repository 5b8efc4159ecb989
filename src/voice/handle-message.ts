import { assertNever } from '../lib/assert-never.ts';
import type { Legs } from './legs.ts';
import type { ToWorker } from './protocol.ts';

/** The only switch over message types in the worker. A new message does not compile until it is here. */
export function handleMessage(message: ToWorker, legs: Legs): void {
  switch (message.type) {
    case 'warm-agent':
      return legs.warm(message.agent);
    case 'open-leg':
      return legs.open(message);
    case 'open-web-leg':
      return legs.openWeb(message);
    case 'resume-web-leg':
      return legs.resumeWeb(message);
    case 'update-leg':
      return legs.update(message);
    case 'start-conversation':
      return legs.startConversation(message);
    case 'inject-digit':
      return legs.injectDigit(message);
    case 'say':
      return legs.say(message);
    case 'send-digits':
      return legs.sendDigits(message);
    case 'step-aside':
      return legs.stepAside(message);
    case 'step-back':
      return legs.stepBack(message);
    case 'transfer-failed':
      return legs.transferFailed(message);
    case 'tool-done':
      return legs.toolDone(message);
    case 'ring-back':
      return legs.ringBack(message);
    case 'carry-digits':
      return legs.carryDigits(message);
    case 'bridge-legs':
      return legs.bridge(message);
    case 'watch-leg':
      return legs.watch(message);
    case 'finish-conversation':
      return legs.finish(message);
    case 'close-leg':
      return legs.close(message);
    case 'stop-worker':
      return legs.stop();
    default:
      return assertNever(message);
  }
}
