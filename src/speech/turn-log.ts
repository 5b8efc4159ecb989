import type { TurnId } from '../model/ids.ts';
import type { TranscriptTurn, TurnStamps } from '../model/turn.ts';

export interface TurnLogOptions {
  readonly newTurnId: (turn: Pick<TranscriptTurn, 'role' | 'via'>) => TurnId;
  readonly onTurn: (turn: TranscriptTurn) => void;
}

/** Numbers the turns of one conversation and gives them out in order. */
export class TurnLog {
  readonly #options: TurnLogOptions;
  #count = 0;

  constructor(options: TurnLogOptions) {
    this.#options = options;
  }

  add(turn: Omit<TranscriptTurn, 'id' | 'index' | 'stamps'> & { stamps: TurnStamps }): void {
    const index = this.#count;
    this.#count += 1;
    // The stamps go on being written for the agent's turn that follows.
    const stamps = { ...turn.stamps };
    this.#options.onTurn({ ...turn, id: this.#options.newTurnId(turn), index, stamps });
  }
}
