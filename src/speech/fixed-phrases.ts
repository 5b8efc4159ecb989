/** What the gateway itself says. English; other languages come with their voices. */
export const FIXED_PHRASES = {
  /** A provider failed and the turn is lost. */
  apology: "I'm sorry, I had a problem just now. Could you say that again?",
  /** It failed too often. */
  failureGoodbye: "I'm sorry, something is wrong on my side. Please call again later. Goodbye.",
  /** The owner wanted to put the caller through, and nobody took the call. */
  transferFailed: "I'm sorry, I could not put you through. What else can I do for you?",
  limitGoodbye: 'Our time is up. Thank you for calling. Goodbye.',
} as const;

export function limitWarning(leftMs: number): string {
  const seconds = Math.round(leftMs / 1000);
  return `Just to let you know, we have about ${seconds} seconds left.`;
}
