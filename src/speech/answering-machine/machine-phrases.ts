/** What only machines say, in English: words of a greeting that asks for a message. */
const PHRASES: readonly RegExp[] = [
  /\bleave (?:a|your|me a|us a) (?:short |brief )?(?:message|name)\b/,
  /\b(?:after|at|following) the (?:tone|beep|signal)\b/,
  /\b(?:is|am|are|are currently|is currently) (?:not|un)\s?(?:available|able to (?:take|answer|come))/,
  /\b(?:can't|cannot|can not|unable to) (?:take|answer|come to) (?:your|the|my) (?:call|phone)\b/,
  /\bvoice ?mail(?:box)?\b/,
  /\bmailbox\b/,
  /\bplease record your\b/,
  /\bat the sound of the\b/,
  /\bthe (?:person|party|number|subscriber) you (?:have|are|is|'ve)\b/,
  /\byou(?:'ve| have) reached the (?:voice|mail)/,
];

/** Whether these words of a transcript give a machine away. */
export function isMachinePhrase(text: string): boolean {
  const plain = text.toLowerCase().replaceAll('’', "'").replace(/\s+/g, ' ');
  return PHRASES.some((phrase) => phrase.test(plain));
}
