/** Where an answer takes more than a key: the reason for a no, other arguments, or the name of what can't be undone. */
import "@mantine/core/styles/Input.layer.css";
import { Button, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";
import type { Approval } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Fault } from "../../ui/Fault";
import form from "../../ui/Form.module.css";
import { RiskChip } from "../../ui/marks";
import { pretty } from "../../ui/prose";
import { Plain } from "../../ui/Prose";
import type { Asking } from "./Answer";
import { useAnswer } from "./answering";
import style from "./AnswerDialog.module.css";
import { editedOf, isTyped, linesOf } from "./rules";

const WORDS = {
  approve: { title: "Approve what can’t be undone?", verb: "Approve" },
  deny: { title: "Deny this call?", verb: "Deny" },
  edit: { title: "Approve with other arguments", verb: "Approve these" },
} as const;

interface Props {
  readonly approval: Approval;
  readonly asking: Asking;
  readonly answered: () => void;
  readonly close: () => void;
}

export default function AnswerDialog({ approval, asking, answered, close }: Props) {
  const present = approval.edited ?? approval.arguments;
  const [why, setWhy] = useState("");
  const [typed, setTyped] = useState("");
  const [text, setText] = useState(() => pretty(present));
  const words = WORDS[asking];
  const edit = editedOf(text);
  const changed = edit.arguments === undefined ? [] : changesOf(edit.arguments, present);
  const answer = useAnswer(approval, () => {
    close();
    answered();
  });
  const mustType = asking !== "deny" && isTyped(approval);
  const complete =
    (asking !== "deny" || why.trim() !== "") &&
    (asking !== "edit" || changed.length > 0) &&
    (!mustType || typed.trim() === approval.tool);
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (!complete) return;
    if (asking === "deny") answer.mutate({ verdict: "deny", why: why.trim() });
    else if (asking === "edit" && edit.arguments !== undefined)
      answer.mutate({ verdict: "approve", why: why.trim(), arguments: edit.arguments }, { onSuccess: close });
    else answer.mutate({ verdict: "approve", why: why.trim() }, { onSuccess: close });
  };
  return (
    <Dialog close={close} title={words.title} size={asking === "edit" ? 620 : 480} closeBeside={asking !== "edit"}>
      <form onSubmit={submit} className={form.form}>
        <p className={style.effect}>
          <RiskChip risk={approval.risk_level} always /> <Plain text={approval.summary || approval.tool} />
        </p>
        {asking === "edit" && <Editor text={text} setText={setText} fault={edit.fault} changed={changed} />}
        <TextInput
          label={asking === "deny" ? "Why not" : "Why"}
          description={asking === "deny" ? "The agent is told, and may find another way." : "Kept with the answer."}
          value={why}
          onChange={(event) => setWhy(event.currentTarget.value)}
          maxLength={2000}
          {...(asking === "deny" ? { "data-autofocus": true } : {})}
        />
        {mustType && (
          <TextInput
            label={
              <>
                Type <span className={form.word}>{approval.tool}</span> to confirm
              </>
            }
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            spellCheck={false}
            {...(asking === "approve" ? { "data-autofocus": true } : {})}
          />
        )}
        <Fault fault={answer.error} />
        <div className={form.buttons}>
          <Button onClick={close}>Not now</Button>
          <Button type="submit" variant="filled" disabled={!complete} loading={answer.isPending}>
            {words.verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface EditorProps {
  readonly text: string;
  readonly setText: (text: string) => void;
  readonly fault: string | undefined;
  readonly changed: readonly string[];
}

function Editor({ text, setText, fault, changed }: EditorProps) {
  return (
    <div className={form.field}>
      <label className={form.name} htmlFor="arguments">
        Arguments
      </label>
      <p className={form.hint}>
        The gate judges what you send anew: its schema, switches, policies and limits. If they refuse it, the agent is
        told so and nothing is called.
      </p>
      <textarea
        id="arguments"
        className={form.code}
        rows={Math.min(18, Math.max(6, text.split("\n").length + 1))}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        spellCheck={false}
        aria-invalid={fault !== undefined}
        aria-describedby="arguments-note"
        data-autofocus
      />
      <p id="arguments-note" className={`${style.note} ${fault === undefined ? "" : "tone-fail"}`}>
        {fault ?? (changed.length === 0 ? "Nothing is changed yet." : `Changed: ${changed.join(", ")}`)}
      </p>
    </div>
  );
}

function changesOf(next: Record<string, unknown>, present: Readonly<Record<string, unknown>>): string[] {
  return linesOf(next, present, {})
    .filter((line) => line.change !== "same")
    .map((line) =>
      line.change === "changed" ? line.path : `${line.path} (${line.change === "added" ? "new" : "gone"})`,
    );
}
