/** Emoji, pictographs, arrows, box drawing, and what joins or colours them. */
const PICTURES =
  /\p{Extended_Pictographic}|\p{Regional_Indicator}|\p{Emoji_Modifier}|\u{FE0F}|\u{200D}|\u{20E3}|[\u2190-\u21FF\u2500-\u257F]/gu;
/** Extended_Pictographic holds these too, and a voice can read them. */
const SPOKEN_SIGNS: Readonly<Record<string, string>> = { '©': ' copyright ', '®': '', '™': '' };

/**
 * Makes writing fit for a voice: markup gone, list items as sentences, emoji dropped, a link
 * reduced to its site. Meant for whole clauses, as `ClauseSplitter` gives them; the wording
 * itself is not touched. The result may be empty.
 */
export function toSpokenText(text: string): string {
  const lines = text
    .replace(/[©®™]/g, (sign) => SPOKEN_SIGNS[sign] ?? '')
    .replace(PICTURES, '')
    .replace(/```[\w-]*\n?/g, ' ')
    .replace(/!?\[([^\][]{0,500})\]\([^()\s]{0,2000}\)/g, '$1')
    .replace(/<?\b(?:https?:\/\/(?:www\.)?|www\.)([^\s/?#>)]+)([^\s>)]*)>?/gi, speakSite)
    .split(/\n+/);
  return lines.map(speakLine).filter(Boolean).join(' ').replace(/\s+/g, ' ').trim();
}

/** A stop at the very end belongs to the sentence, not to the address. */
function speakSite(_whole: string, site: string, path: string): string {
  const bare = site.replace(/[.,;:!?]+$/, '');
  const stop = /[.,;:!?]+$/.exec(site + path)?.[0] ?? '';
  return bare.replaceAll('.', ' dot ') + stop;
}

function speakLine(line: string): string {
  if (/^\s*(?:[-*_]\s*){3,}$/.test(line) || /^\s*\|?[\s:|-]+\|?\s*$/.test(line)) return '';
  const isItem = /^\s*(?:[-*+•‣◦]|\d{1,3}[.)])\s+\S/.test(line) || /^\s*#{1,6}\s+\S/.test(line);
  const bare = stripMarks(
    line.replace(/^\s*(?:>\s*)*(?:(?:[-*+•‣◦]|\d{1,3}[.)]|#{1,6})\s+)?(?:\[[ xX]\]\s+)?/, ''),
  ).trim();
  if (!/[\p{L}\p{N}]/u.test(bare)) return '';
  return isItem && !/[.!?:;,…]$/.test(bare) ? `${bare}.` : bare;
}

/** Emphasis, code and strike-through marks; a `*` or `_` inside a word or sum stays. */
function stripMarks(text: string): string {
  return text
    .replace(/`+/g, '')
    .replace(/~~/g, '')
    .replace(/\*{1,3}(?=\S)([^*\n]{1,500}?)(?<=\S)\*{1,3}/g, '$1')
    .replace(/(?<![\p{L}\p{N}_])_{1,3}(?=\S)([^_\n]{1,500}?)(?<=\S)_{1,3}(?![\p{L}\p{N}_])/gu, '$1')
    .replace(/\*\*+/g, '')
    .replace(/^\s*\||\|\s*$/g, '')
    .replace(/\s*\|\s*/g, ', ');
}
