/** What is known of a call's effect on the world, in a sentence. */
import { Button } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import type { EffectRow, WholeRun } from "../../api/shapes";
import { clock } from "../../ui/words";
import { doubtOf } from "./doubts";
import { Section } from "./Section";
import style from "./EffectNote.module.css";

const ResolveDialog = lazy(() => import("./ResolveDialog"));

export function EffectNote({ run, effect }: { readonly run: WholeRun; readonly effect: EffectRow }) {
  const [open, setOpen] = useState(false);
  const doubt = doubtOf(run, effect);
  return (
    <Section name="Side effect" tone={effect.state === "unknown" ? "wait" : "quiet"}>
      <p>{sentence(effect, Date.parse(run.created_at))}</p>
      {doubt !== undefined && (
        <div className={style.ask}>
          <Button onClick={() => setOpen(true)}>Say what happened</Button>
        </div>
      )}
      {open && doubt !== undefined && (
        <Suspense fallback={null}>
          <ResolveDialog run={run} doubts={[doubt]} close={() => setOpen(false)} />
        </Suspense>
      )}
    </Section>
  );
}

export function sentence(effect: EffectRow, day: number): string {
  const at = effect.settled_at === null ? "" : ` at ${clock(effect.settled_at, day)}`;
  const by = effect.settled_by === null ? "" : `, said by ${effect.settled_by}`;
  switch (effect.state) {
    case "intended":
      return "Intended and on its way; no outcome is recorded yet.";
    case "happened":
      return `It took place${at}${by}.`;
    case "failed":
      return `None: the call failed${at}.`;
    case "did_not_happen":
      return `None: it did not take place${by}.`;
    case "unknown":
      return "Nobody here knows whether it took place. It is never repeated by itself: look it up in the other system, then say so.";
  }
}
