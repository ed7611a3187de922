/** Cost by whatever one asks for, over time: a chart of all, a line for each group, one of which can stand out. */
import { Button, TextInput } from "@mantine/core";
import "@mantine/core/styles/Input.layer.css";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type SyntheticEvent, useMemo, useState } from "react";
import { reportQuery } from "../../api/money";
import { isProblem } from "../../api/problems";
import type { UsageReport } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { Views } from "../../ui/Views";
import { count, money, plural, shortId } from "../../ui/words";
import { Chart, Spark } from "./Chart";
import { type Dimension, DIMENSIONS, keyOf, type Looked, PERIODS, reportParams, USUAL } from "./filters";
import { type Group, REST, savedBy, seriesOf, share, signed } from "./rules";
import style from "./Usage.module.css";

const route = getRouteApi("/inside/usage");

interface Props {
  readonly looked: Looked;
  readonly look: (next: Looked) => void;
}

export function Report({ looked, look }: Props) {
  const { by = "agent" } = looked;
  const key = keyOf(looked);
  const minute = Math.floor(useNow() / 60_000) * 60_000;
  const report = useQuery({
    ...reportQuery(reportParams(looked, minute)),
    enabled: key !== null,
    placeholderData: (before, earlier) =>
      earlier?.queryKey[1] === "report" && before?.by[0] === key ? before : undefined,
  });
  const views = (Object.keys(DIMENSIONS) as Dimension[]).map((name) => [name, DIMENSIONS[name]] as const);
  return (
    <div className={page.body}>
      <div className={style.bar}>
        <Views label="By" view={by} views={views} show={(next) => look({ by: next, tag: undefined })} />
        {by === "tag" && <TagName key={looked.tag} tag={looked.tag} look={look} />}
      </div>
      {key === null ? (
        <Empty icon="filter" title="Which tag?" command={'qd run submit AGENT "…" --tag plan=gold'}>
          Runs carry tags that you give them, such as a plan or a customer. Name one above.
        </Empty>
      ) : report.error !== null && (report.data === undefined || isProblem(report.error, 403)) ? (
        <Trouble fault={report.error} what="the usage of this tenant" retry={() => void report.refetch()} />
      ) : report.data === undefined ? (
        <Bones rows={10} />
      ) : report.data.lines.length === 0 ? (
        <Empty icon="usage" title="No model was called in this time" command="qd usage report --since 90d">
          What each call costs is written here the moment it is known.
        </Empty>
      ) : (
        <Shown report={report.data} by={by} name={key} looked={looked} />
      )}
    </div>
  );
}

function TagName({ tag, look }: { readonly tag: string | undefined; readonly look: Props["look"] }) {
  const [typed, setTyped] = useState(tag ?? "");
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    look({ tag: typed.trim() === "" ? undefined : typed.trim() });
  };
  return (
    <form className={style.tag} onSubmit={submit}>
      <TextInput
        aria-label="Name of the tag"
        placeholder="plan"
        maxLength={64}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <Button type="submit">Show</Button>
    </form>
  );
}

interface ShownProps {
  readonly report: UsageReport;
  readonly by: Dimension;
  readonly name: string;
  readonly looked: Looked;
}

function Shown({ report, by, name, looked }: ShownProps) {
  const { pick } = route.useSearch();
  const navigate = route.useNavigate();
  const { every } = PERIODS[looked.range ?? USUAL];
  const series = useMemo(() => seriesOf(report, name, every), [report, name, every]);
  const picked = series.groups.find((group) => group.id === pick) ?? null;
  const choose = (group: Group): void =>
    void navigate({
      search: (before) => ({ ...before, pick: group.id === pick ? undefined : group.id }),
      replace: true,
    });
  return (
    <>
      <Totals report={report} />
      <Chart series={series} every={every} picked={picked} pickedName={picked === null ? "" : nameOf(picked, by)} />
      <div className={style.scroll}>
        <table className={`${page.table} ${style.table}`}>
          <caption className="unseen">Cost by {DIMENSIONS[by].toLowerCase()}, the dearest first</caption>
          <thead>
            <tr>
              <th>{by === "tag" ? name.slice(4) : DIMENSIONS[by]}</th>
              <th className={style.sparkCell}>Over time</th>
              <th className={page.right}>Cost</th>
              <th className={style.shareCell}>Share</th>
              <th className={page.right}>Calls</th>
              <th className={page.right}>Tokens in</th>
              <th className={page.right}>of them cached</th>
              <th className={page.right}>Tokens out</th>
              <th className={page.right}>Saved</th>
            </tr>
          </thead>
          <tbody>
            {series.groups.map((group) => (
              <Line
                key={group.id}
                group={group}
                by={by}
                total={report.total.cost_micro_usd}
                picked={group === picked}
                choose={choose}
              />
            ))}
          </tbody>
        </table>
      </div>
      {by === "tool" && (
        <p className={style.note}>
          The cost of a call is split evenly over the tools whose results it was the first to read.
        </p>
      )}
    </>
  );
}

function Totals({ report }: { readonly report: UsageReport }) {
  const { total } = report;
  return (
    <dl className={style.totals}>
      <Fact name="Cost">{money(total.cost_micro_usd)}</Fact>
      {total.presumed_micro_usd > 0 && (
        <Fact name="of it presumed" tone="stop">
          {money(total.presumed_micro_usd)}
        </Fact>
      )}
      <Fact name="Calls">{count(total.calls)}</Fact>
      <Fact name="Tokens in · out">
        {count(total.input_tokens)} · {count(total.output_tokens)}
      </Fact>
      <Fact name="Read from cache">
        {total.input_tokens === 0 ? "–" : share(total.cache_read_tokens / total.input_tokens)}
      </Fact>
      <Fact name="Saved">{signed(savedBy(total))}</Fact>
      {total.unpriced_calls > 0 && (
        <Fact name="Without a price" tone="stop">
          {plural(total.unpriced_calls, "call")}
        </Fact>
      )}
    </dl>
  );
}

export function Fact({
  name,
  tone,
  children,
}: {
  readonly name: string;
  readonly tone?: "stop";
  readonly children: React.ReactNode;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className={tone === undefined ? "" : `tone-${tone}`}>{children}</dd>
    </div>
  );
}

interface LineProps {
  readonly group: Group;
  readonly by: Dimension;
  readonly total: number;
  readonly picked: boolean;
  readonly choose: (group: Group) => void;
}

function Line({ group, by, total, picked, choose }: LineProps) {
  const part = total === 0 ? 0 : group.cost / total;
  return (
    <tr data-chosen={picked || undefined}>
      <td>
        <span className={style.name}>
          <button aria-pressed={picked} onClick={() => choose(group)} title="Let it stand out in the chart">
            <Plain text={nameOf(group, by)} />
          </button>
          <Behind group={group} by={by} />
        </span>
      </td>
      <td className={style.sparkCell}>
        <Spark costs={group.costs} />
      </td>
      <td className={page.right}>
        {money(group.cost)}
        {group.presumed > 0 && (
          <span className="tone-stop" title={`${money(group.presumed)} of it presumed: the provider's word is missing`}>
            {" "}
            *
          </span>
        )}
      </td>
      <td className={style.shareCell}>
        <span className={style.share}>
          <i style={{ width: `${Math.min(100, 100 * part)}%` }} />
        </span>
        {share(part)}
      </td>
      <td className={page.right}>{count(group.calls)}</td>
      <td className={page.right}>{count(group.input)}</td>
      <td className={`${page.right} muted`}>
        {group.input === 0 || group.cached === 0 ? "–" : share(group.cached / group.input)}
      </td>
      <td className={page.right}>{count(group.output)}</td>
      <td className={`${page.right} ${group.saved < 0 ? "tone-stop" : "muted"}`}>
        {group.saved === 0 ? "–" : signed(group.saved)}
      </td>
    </tr>
  );
}

function nameOf(group: Group, by: Dimension): string {
  if (group.id === REST) return plural(group.groups, "other");
  if (group.name === null || group.name === "") return `no ${DIMENSIONS[by].toLowerCase()}`;
  if (by === "run") return shortId(group.name);
  return by === "release" ? group.name.slice(0, 12) : group.name;
}

/** From a figure to the runs behind it. */
function Behind({ group, by }: { readonly group: Group; readonly by: Dimension }) {
  const { name } = group;
  if (name === null || name === "" || group.rest) return null;
  const inside = <Icon name="chevron" size={11} />;
  if (by === "run")
    return (
      <Link
        to="/runs/$run"
        params={{ run: name }}
        search={{ tab: "cost" }}
        aria-label={`Open run ${shortId(name)}`}
        className={style.behind}
      >
        {inside}
      </Link>
    );
  if (by !== "agent" && by !== "user" && by !== "release") return null;
  return (
    <Link to="/runs" search={{ [by]: name }} aria-label={`Runs of ${name}`} title="Its runs" className={style.behind}>
      {inside}
    </Link>
  );
}
