/** What happened, in one sentence whose parts lead to their spans; how many others it happened to. */
import { Link } from "@tanstack/react-router";
import type { Blast, Run, Span, Story } from "../../api/shapes";
import { Plain } from "../../ui/Prose";
import { plural, type Tone } from "../../ui/words";
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
  readonly run: Run;
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

/** "14 other runs on this release show it, none on the one before." */
function Reach({ blast, run }: { readonly blast: Blast; readonly run: Run }) {
  const here = blast.same_cause_this_release;
  const before = blast.same_cause_previous_release;
  return (
    <p className={style.reach}>
      {here === 0 ? (
        "No other run on this release shows it"
      ) : (
        <Link to="/runs" search={{ cause: blast.cause, release: run.release }} className={style.others}>
          {plural(here, "other run")} on this release {here === 1 ? "shows" : "show"} it
        </Link>
      )}
      {before === 0 ? ", none on the one before." : `, ${plural(before, "run")} on the one before.`}
    </p>
  );
}
