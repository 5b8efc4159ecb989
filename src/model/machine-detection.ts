/** Who took an outbound call. `machine-beep`: a machine that has begun to record. */
export type AnsweredBy = 'human' | 'machine' | 'machine-beep' | 'unknown';

/** What to do when a machine answers an outbound call. */
export interface MachineDetection {
  readonly policy: 'hang_up' | 'leave_message' | 'continue';
  /** Said after the beep; may hold `{{variables}}`. Null: the agent's greeting. */
  readonly message: string | null;
  /** The agent's greeting waits so long at most while it is not known who answered. */
  readonly waitMsMax: number;
}
