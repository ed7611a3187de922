/** One row in full, with the inputs and outputs that are kept apart from it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { auditRowQuery } from "../../api/gate";
import { CopyButton } from "../../ui/Copy";
import { Bones, Trouble } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Json } from "../../ui/Json";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { clock, count, shortId } from "../../ui/words";
import { Pairs, Section } from "../run/Section";
import style from "./Audit.module.css";
import { PAYLOADS } from "./rules";

export function RowPane({ row, close }: { readonly row: string; readonly close: () => void }) {
  const whole = useQuery(auditRowQuery(row));
  const now = useNow(false);
  if (whole.data === undefined) {
    return (
      <aside className={style.pane} aria-label="Row">
        {whole.error === null ? <Bones rows={6} /> : <Trouble fault={whole.error} what="this row" />}
      </aside>
    );
  }
  const { data } = whole;
  const [words, tone] = PAYLOADS[data.payload_state];
  return (
    <aside className={style.pane} aria-label="Row">
      <div className={style.title}>
        <h2>{data.kind}</h2>
        <button className={style.close} aria-label="Close the row" onClick={close}>
          <Icon name="cross" size={13} />
        </button>
      </div>
      <p className="muted">
        {clock(data.at, now)}
        {data.position === null ? " · not sealed yet" : ` · position ${count(data.position)}`}
      </p>
      <Section name="Who and what">
        <Pairs
          pairs={[
            ["Who", <Plain key="who" text={data.actor} />],
            ["For user", data.user_id === "" ? null : <Plain key="user" text={data.user_id} />],
            ["Did", <Plain key="did" text={data.action} />],
            ["To", data.target === "" ? null : <Plain key="to" text={data.target} />],
            ["Status", data.status],
            [
              "Run",
              data.run_id === null ? null : (
                <Link
                  key="run"
                  to="/runs/$run"
                  params={{ run: data.run_id }}
                  search={{ tab: "raw" }}
                  className={page.link}
                >
                  {shortId(data.run_id)}
                  {data.seq !== null && `, event ${data.seq}`}
                </Link>
              ),
            ],
          ]}
        />
      </Section>
      <Section name="Decision">
        <Pairs
          pairs={[
            ["Verdict", data.verdict],
            ["Rule", data.rule === "" ? null : <code key="rule">{data.rule}</code>],
            [
              "Approved by",
              data.approved_by.length === 0 ? null : <Plain key="by" text={data.approved_by.join(", ")} />,
            ],
            ["Release", data.release === "" ? null : <code key="release">{data.release.slice(0, 12)}</code>],
            ["Settings", data.effective === "" ? null : <code key="effective">{data.effective.slice(0, 12)}</code>],
          ]}
        />
      </Section>
      <Section
        name="Inputs and outputs"
        tone={tone}
        beside={<span className={tone === "fail" ? "tone-fail" : "muted"}>{words}</span>}
      >
        {data.payload !== null && <Json value={data.payload} what="payload" />}
      </Section>
      {data.hash !== null && (
        <Section name="Seal">
          <p className={style.hash}>
            <code>{data.hash}</code>
            <CopyButton text={data.hash} what="hash" />
          </p>
        </Section>
      )}
    </aside>
  );
}
