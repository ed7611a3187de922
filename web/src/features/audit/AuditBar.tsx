/** What is looked for in the audit: who, what, which run, which verdict, when. */
import { useRef, useState } from "react";
import { useKeys } from "../../shell/keys";
import { Key } from "../../ui/Empty";
import { Filter, type Option } from "../../ui/Field";
import { Freshness } from "../../ui/Freshness";
import { Icon } from "../../ui/Icon";
import page from "../../ui/Page.module.css";
import { type Range, RANGES } from "../runs/filters";
import style from "./Audit.module.css";
import { type Sought, soughtOf } from "./filters";

const KINDS: readonly Option<string>[] = [
  ["", "Any kind"],
  ...[
    "tool.called",
    "tool.denied",
    "tool.answered",
    "tool.failed",
    "tool.unknown",
    "model.called",
    "approval.asked",
    "approval.voted",
    "approval.answered",
    "run.admitted",
    "run.finished",
    "switch.thrown",
    "switch.lifted",
    "policy.set",
    "policy.removed",
    "autonomy.changed",
    "rate.set",
    "secret.set",
    "escalation.closed",
    "audit.exported",
    "audit.erased",
  ].map((kind): Option<string> => [kind, kind]),
];

const VERDICTS: readonly Option<string>[] = [
  ["", "Any verdict"],
  ["allow", "allow"],
  ["ask", "ask"],
  ["deny", "deny"],
];

interface Props {
  readonly sought: Sought;
  readonly show: (sought: Sought) => void;
  readonly updatedAt: number;
  readonly failing: boolean;
}

export function AuditBar({ sought, show, updatedAt, failing }: Props) {
  const put = (name: keyof Sought, value: string): void => {
    const { [name]: _, ...rest } = sought;
    show(soughtOf({ ...rest, [name]: value }));
  };
  const any: readonly Option<string>[] = [
    ["", "All time"],
    ...(Object.keys(RANGES) as Range[]).map((range): Option<string> => [range, RANGES[range].word]),
  ];
  return (
    <>
      <Freshness updatedAt={updatedAt} failing={failing} />
      <span className={page.gap} />
      <Word
        key={`actor ${sought.actor ?? ""}`}
        label="Who"
        value={sought.actor ?? ""}
        put={(value) => put("actor", value)}
        focus
      />
      <Word
        key={`tool ${sought.tool ?? ""}`}
        label="Tool or action"
        value={sought.tool ?? ""}
        put={(value) => put("tool", value)}
      />
      <Word
        key={`run ${sought.run ?? ""}`}
        label="Run id"
        value={sought.run ?? ""}
        put={(value) => put("run", value)}
      />
      <Filter label="Kind" value={sought.kind ?? ""} options={KINDS} choose={(value) => put("kind", value)} />
      <Filter
        label="Verdict"
        value={sought.verdict ?? ""}
        options={VERDICTS}
        choose={(value) => put("verdict", value)}
      />
      <Filter label="Time" value={sought.range ?? ""} options={any} choose={(value) => put("range", value)} />
    </>
  );
}

interface WordProps {
  readonly label: string;
  readonly value: string;
  readonly put: (value: string) => void;
  readonly focus?: boolean;
}

function Word({ label, value, put, focus = false }: WordProps) {
  const [words, setWords] = useState(value);
  const field = useRef<HTMLInputElement>(null);
  useKeys(focus ? [{ keys: "/", words: "Filter by who", group: "Audit", act: () => field.current?.focus() }] : []);
  const apply = (): void => {
    if (words.trim() !== value) put(words.trim());
  };
  return (
    <form
      className={style.word}
      onSubmit={(event) => {
        event.preventDefault();
        apply();
        field.current?.blur();
      }}
    >
      {focus && <Icon name="filter" size={12} />}
      <input
        ref={field}
        placeholder={label}
        aria-label={label}
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
        onBlur={apply}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
        }}
      />
      {focus && <Key>/</Key>}
    </form>
  );
}
