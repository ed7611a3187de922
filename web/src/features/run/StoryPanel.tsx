/** What happened, in one sentence whose parts lead to their spans; how many others it happened to. */
import { Link } from "@tanstack/react-router";
import type { Blast, WholeRun, Span, Story } from "../../api/shapes";
import { Plain } from "../../ui/Prose";
import { type Tone } from "../../ui/words";
import { linkTo } from "./links";
import { fragmentsOf } from "./sentence";
import style from "./StoryPanel.module.css";
import { spanAt } from "./tree";

const TONES: Readonly<Record<Story["tone"], Tone>> = {
  ok: "quiet",
  running: "run",
  waiting: "wait",
  stopped: "stop",
  failed: "fail",
};

interface Props {
  readonly story: Story;
  readonly blast: Blast | null;
  readonly run: WholeRun;
  readonly spans: readonly Span[];
  readonly goTo: (seq: number) => void;
}

export function StoryPanel({ story, blast, run, spans, goTo }: Props) {
  return (
    <section className={style.panel} data-tone={TONES[story.tone]} aria-label="What happened">
      <p className={style.sentence}>
        {fragmentsOf(story).map((fragment, at) => {
          const { seq } = fragment;
          if (seq === null) return <Plain key={at} text={fragment.text} />;
          return (
            // A link and not a button, because only links break into lines like the words around them.
            <a
              key={at}
              className={style.clause}
              href={linkTo(spanAt(spans, seq)?.id ?? null)}
              title="Show where"
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey) return;
                event.preventDefault();
                goTo(seq);
              }}
            >
              <Plain text={fragment.text} />
            </a>
          );
        })}
      </p>
      {blast !== null && <Reach blast={blast} run={run} />}
    </section>
  );
}

/** The sentence counts the others; this leads to them. */
function Reach({ blast, run }: { readonly blast: Blast; readonly run: WholeRun }) {
  if (blast.same_cause_this_release === 0) return null;
  return (
    <p className={style.reach}>
      <Link to="/runs" search={{ agent: run.agent, cause: blast.cause, release: run.release }} className={style.others}>
        Show {blast.same_cause_this_release === 1 ? "the other run" : `the other ${blast.same_cause_this_release} runs`}
      </Link>
    </p>
  );
}
