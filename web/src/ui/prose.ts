/** What a model or a tool wrote, made safe to look at: characters that hide or reorder text are shown by their code. */

export interface Piece {
  readonly text: string;
  /** The code point that stood here and can't be seen, such as `U+202E`. */
  readonly hidden: boolean;
}

// Controls except tab and line feed; soft hyphen; zero-width and direction marks; tag characters; variation selectors 17-256.
const UNSEEN =
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]|[\u{E0000}-\u{E01EF}]/gu;

/** The text in pieces, each either visible as it is or the name of one character that isn't. */
export function reveal(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const found of text.matchAll(UNSEEN)) {
    if (isJoiner(text, found.index)) continue;
    if (found.index > from) pieces.push({ text: text.slice(from, found.index), hidden: false });
    const code = found[0].codePointAt(0) ?? 0;
    if (found[0] !== "\r") pieces.push({ text: `U+${code.toString(16).toUpperCase().padStart(4, "0")}`, hidden: true });
    from = found.index + found[0].length;
  }
  if (from < text.length || pieces.length === 0) pieces.push({ text: text.slice(from), hidden: false });
  return pieces;
}

/** A zero-width joiner between two pictographs is part of one emoji, not something hidden. */
function isJoiner(text: string, at: number): boolean {
  if (text.charCodeAt(at) !== 0x200d) return false;
  const before = text.slice(Math.max(0, at - 3), at);
  return (
    /(?:\p{Extended_Pictographic}|\u{FE0F}|[\u{1F3FB}-\u{1F3FF}])$/u.test(before) &&
    /^\p{Extended_Pictographic}/u.test(text.slice(at + 1))
  );
}

/** The first lines of a long text, and how many there are; the whole when it is short. */
export function beginning(
  text: string,
  lines: number,
  characters: number,
): { readonly text: string; readonly more: number } {
  let end = 0;
  for (let line = 0; line < lines; line += 1) {
    const next = text.indexOf("\n", end);
    if (next === -1) {
      end = text.length;
      break;
    }
    end = next + 1;
  }
  end = Math.min(end, characters);
  // A fifth more is shown rather than hidden: a button that reveals two lines is a nuisance.
  if (end >= text.length || text.length - end < end / 5) return { text, more: 0 };
  const rest = text.slice(end);
  return { text: text.slice(0, end).trimEnd(), more: rest.split("\n").length };
}

/** JSON as one reads it: indented, with strings that hold several lines left as they are in JSON. */
export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** One line of JSON-like text for a row: `order=88121, reason="late"`. */
export function gist(value: Readonly<Record<string, unknown>>, limit = 120): string {
  const text = Object.entries(value)
    .map(([name, each]) => `${name}=${JSON.stringify(each)}`)
    .join(", ");
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}
