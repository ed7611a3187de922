/** Who may do what: each agent and tool with what its policies come to, and on what that depends. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import { whoQuery } from "../../api/gate";
import type { May } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Filter, type Option } from "../../ui/Field";
import form from "../../ui/Form.module.css";
import { Chip, RiskChip } from "../../ui/marks";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { Told } from "../../ui/Told";
import { riskOf } from "../../ui/words";
import style from "./Policy.module.css";
import { conditionInWords, levelInWords, toneOf } from "./rules";

const route = getRouteApi("/inside/policy");

const VERDICTS: readonly Option<string>[] = [
  ["", "Any verdict"],
  ["allow", "allow"],
  ["ask", "ask"],
  ["deny", "deny"],
  ["depends", "depends"],
];

export default function Who() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [verdict, setVerdict] = useState("");
  const who = useQuery(whoQuery(search.user));
  if (who.data === undefined) {
    if (who.error === null) return <Bones rows={10} />;
    return <Trouble fault={who.error} what="who may do what" retry={() => void who.refetch()} />;
  }
  const choose = (name: "agent" | "tool" | "user", value: string): void =>
    void navigate({ search: (before) => ({ ...before, [name]: value === "" ? undefined : value }), replace: true });
  const options = (any: string, names: readonly string[]): Option<string>[] => [
    ["", any],
    ...[...new Set(names)].sort().map((name): Option<string> => [name, name]),
  ];
  const lines = who.data.filter(
    (line) =>
      (search.agent === undefined || line.agent === search.agent) &&
      (search.tool === undefined || line.tool === search.tool) &&
      (verdict === "" || line.verdict === verdict),
  );
  return (
    <div className={page.body}>
      <div className={style.bar}>
        <Filter
          label="Agent"
          value={search.agent ?? ""}
          options={options(
            "Any agent",
            who.data.map((line) => line.agent),
          )}
          choose={(value) => choose("agent", value)}
        />
        <Filter
          label="Tool"
          value={search.tool ?? ""}
          options={options(
            "Any tool",
            who.data.map((line) => line.tool),
          )}
          choose={(value) => choose("tool", value)}
        />
        <Filter label="Verdict" value={verdict} options={VERDICTS} choose={setVerdict} />
        <UserField key={search.user ?? ""} user={search.user ?? ""} choose={(user) => choose("user", user)} />
      </div>
      {lines.length === 0 ? (
        <Empty icon="filter" title={who.data.length === 0 ? "No agent, and so nobody may do anything" : "Nothing fits"}>
          What no release grants is denied.
        </Empty>
      ) : (
        <table className={`${page.table} ${style.table}`}>
          <thead>
            <tr>
              <th>Tool</th>
              <th>Risk</th>
              <th>Verdict</th>
              <th>Release allows</th>
              <th>Depends on</th>
              <th>
                <span className="unseen">Explain</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {lines.map((line, at) => (
              <Fragment key={`${line.agent} ${line.tool}`}>
                {lines[at - 1]?.agent !== line.agent && (
                  <tr className={style.group}>
                    <td colSpan={6}>
                      <strong>{line.agent}</strong> · release <code>{line.release.slice(0, 12)}</code>
                    </td>
                  </tr>
                )}
                <Row line={line} />
              </Fragment>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function UserField({ user, choose }: { readonly user: string; readonly choose: (user: string) => void }) {
  const [words, setWords] = useState(user);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        choose(words.trim());
      }}
    >
      <input
        className={`${form.select} ${style.user}`}
        placeholder="Acting for user"
        aria-label="Acting for user"
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
        onBlur={() => {
          if (words.trim() !== user) choose(words.trim());
        }}
      />
    </form>
  );
}

function Row({ line }: { readonly line: May }) {
  return (
    <tr>
      <td className={style.top}>
        <span className={style.name}>{line.tool}</span>
      </td>
      <td className={style.top}>
        <RiskChip risk={riskOf(line.effect)} always />
      </td>
      <td className={style.top}>
        <Chip tone={toneOf(line.verdict)}>{line.verdict}</Chip>
      </td>
      <td className={`${style.top} muted`}>{line.effect === "read" ? "reads freely" : levelInWords(line.autonomy)}</td>
      <td className={style.wrap}>
        <div className={style.conditions}>
          {line.conditions.map((condition) => (
            <div key={`${condition.policy} ${condition.verb}`}>
              <Told text={conditionInWords(condition)} />{" "}
              <small>
                {condition.by === "tenant" ? "own policy " : ""}
                <code>{condition.policy}</code>
                {condition.reason !== "" && (
                  <>
                    {" · "}
                    <Plain text={condition.reason} />
                  </>
                )}
              </small>
            </div>
          ))}
          {line.conditions.length === 0 && <span className="muted">nothing</span>}
        </div>
      </td>
      <td className={`${page.right} ${style.top}`}>
        <Link to="/policy" search={{ tab: "explain", agent: line.agent, tool: line.tool }} className={page.link}>
          Explain
        </Link>
      </td>
    </tr>
  );
}
