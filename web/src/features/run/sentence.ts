/** The sentence that says what happened, in pieces of which some lead to a span. */
import type { Story } from "../../api/shapes";

export interface Fragment {
  readonly text: string;
  readonly seq: number | null;
}

/** The sentence, whole and in order, with its clauses found in it; clauses that it doesn't hold follow behind. */
export function fragmentsOf(story: Story): Fragment[] {
  const fragments: Fragment[] = [];
  const missing: Fragment[] = [];
  let from = 0;
  for (const clause of story.clauses) {
    const words = clause.text.trim();
    const at = words === "" ? -1 : story.sentence.indexOf(words, from);
    if (at === -1) {
      if (words !== "") missing.push({ text: words, seq: clause.seq });
      continue;
    }
    if (at > from) fragments.push({ text: story.sentence.slice(from, at), seq: null });
    fragments.push({ text: words, seq: clause.seq });
    from = at + words.length;
  }
  if (from < story.sentence.length) fragments.push({ text: story.sentence.slice(from), seq: null });
  for (const clause of missing) fragments.push({ text: " ", seq: null }, clause);
  return fragments;
}
