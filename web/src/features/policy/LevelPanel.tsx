/** How far an agent may go with a tool by itself: what holds, what people's answers say for it, and who changed it. */
import "@mantine/core/styles/Input.layer.css";
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import { changesQuery } from "../../api/gate";
import { sessionQuery } from "../../api/queries";
import type { AutonomyLine } from "../../api/shapes";
import { Fault } from "../../ui/Fault";
import { Choice, type Option } from "../../ui/Field";
import form from "../../ui/Form.module.css";
import { useNow } from "../../ui/now";
import { Plain } from "../../ui/Prose";
import { clock, count } from "../../ui/words";
import { Pairs, Section } from "../run/Section";
import { may } from "../sessions/rules";
import { levelInWords, upTo } from "./rules";

export function LevelPanel({ line }: { readonly line: AutonomyLine }) {
  const { data: session } = useQuery(sessionQuery);
  const now = useNow(false);
  const allowed = session != null && may(session, "operator");
  const { evidence } = line;
  return (
    <div>
      <Section name="Autonomy">
        <Pairs
          pairs={[
            ["Holds now", <strong key="level">{levelInWords(line.level)}</strong>],
            ["Release grants", `up to ${levelInWords(line.ceiling)}`],
            [
              "Set by",
              line.setting === null
                ? "nobody: it is what the release grants"
                : `${line.setting.set_by}, ${clock(line.setting.set_at, now)}`,
            ],
            ["Because", line.setting === null ? null : <Plain key="why" text={line.setting.why} />],
          ]}
        />
      </Section>
      <Section name={`Evidence: answers of the last ${evidence.days} days`}>
        <p>{evidence.words}</p>
        <Pairs
          pairs={[
            [
              "Approved",
              `${count(evidence.approved)}${evidence.edited > 0 ? `, ${count(evidence.edited)} of them edited` : ""}`,
            ],
            ["Denied", count(evidence.denied)],
            ["Expired", count(evidence.expired)],
          ]}
        />
      </Section>
      <Section name="Change it">
        {allowed ? (
          <Change key={`${line.level} ${line.setting?.set_at ?? ""}`} line={line} />
        ) : (
          <p className="muted">Your key may look, not change: that takes the role operator.</p>
        )}
      </Section>
      <Changes line={line} />
    </div>
  );
}

function Change({ line }: { readonly line: AutonomyLine }) {
  const [level, setLevel] = useState<string>(line.level);
  const [why, setWhy] = useState("");
  const cache = useQueryClient();
  const path = `/v1/autonomy/${line.agent}/${line.tool}`;
  const after = { onSuccess: () => cache.invalidateQueries({ queryKey: ["autonomy"] }) };
  const set = useMutation({
    mutationFn: () => ask(path, { method: "PUT", body: { level, why: why.trim() } }),
    ...after,
  });
  const forget = useMutation({
    mutationFn: () => ask(path, { method: "DELETE", params: { why: why.trim() } }),
    ...after,
  });
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    set.mutate();
  };
  return (
    <form className={form.form} onSubmit={submit}>
      <div className={form.pair}>
        <Choice
          label="Level"
          value={level}
          options={upTo(line.ceiling).map((each): Option<string> => [each, levelInWords(each)])}
          choose={setLevel}
        />
        <TextInput label="Why" value={why} onChange={(event) => setWhy(event.currentTarget.value)} />
      </div>
      <Fault fault={set.error ?? forget.error} />
      <div className={form.buttons}>
        {line.setting !== null && (
          <Button disabled={why.trim() === ""} loading={forget.isPending} onClick={() => forget.mutate()}>
            Back to the release
          </Button>
        )}
        <Button
          type="submit"
          variant="filled"
          disabled={level === line.level || why.trim() === ""}
          loading={set.isPending}
        >
          Set it
        </Button>
      </div>
    </form>
  );
}

function Changes({ line }: { readonly line: AutonomyLine }) {
  const changes = useQuery(changesQuery(line.agent, line.tool));
  const now = useNow(false);
  if (changes.data === undefined || changes.data.length === 0) return null;
  return (
    <Section name="Changes">
      <ul>
        {changes.data.map((change) => (
          <li key={change.id}>
            {change.level === null ? "back to the release" : levelInWords(change.level)}{" "}
            <span className="muted">
              by {change.set_by}, {clock(change.set_at, now)}; {change.evidence.words}
            </span>
            {change.why !== "" && (
              <>
                {" "}
                <Plain text={change.why} />
              </>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}
