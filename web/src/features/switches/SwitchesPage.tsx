/** Every switch that was ever thrown: by whom, why, until when, and who lifted it. */
import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { thrownQuery } from "../../api/gate";
import type { Switch } from "../../api/shapes";
import { Bones, Empty, Trouble } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Chip } from "../../ui/marks";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { clock, duration } from "../../ui/words";
import { openSwitches } from "./panel";
import { aboutOf } from "./rules";
import style from "./Switches.module.css";

export default function SwitchesPage() {
  const history = useInfiniteQuery({ ...thrownQuery, refetchInterval: 5_000 });
  const switches = history.data?.pages.flatMap((each) => each.items);
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Switches</h1>
        <span className={page.gap} />
        <Button leftSection={<Icon name="hand" />} onClick={() => openSwitches()}>
          What stands now
        </Button>
      </header>
      <div className={page.body}>
        {switches !== undefined ? (
          <Listed switches={switches} />
        ) : history.isPending ? (
          <Bones rows={6} />
        ) : (
          <Trouble fault={history.error} what="the switches of this tenant" retry={() => void history.refetch()} />
        )}
        {history.hasNextPage && (
          <Button onClick={() => void history.fetchNextPage()} loading={history.isFetchingNextPage}>
            Show older ones
          </Button>
        )}
      </div>
    </div>
  );
}

function Listed({ switches }: { readonly switches: readonly Switch[] }) {
  const now = useNow();
  if (switches.length === 0) {
    return (
      <Empty
        icon="hand"
        title="No switch was ever thrown here"
        command='qd switch throw tool refund --disable --why "pays twice"'
      >
        A switch stops or narrows a tool, a model, an agent or everything, on every worker within a second.
      </Empty>
    );
  }
  return (
    <table className={page.table}>
      <thead>
        <tr>
          <th>State</th>
          <th>What</th>
          <th>Does</th>
          <th>Why</th>
          <th>Thrown</th>
          <th>Stood</th>
          <th>Ended</th>
        </tr>
      </thead>
      <tbody>
        {switches.map((thrown) => (
          <tr key={thrown.switch_id}>
            <td>{thrown.state === "standing" ? <Chip tone="fail">thrown</Chip> : <Chip>{thrown.state}</Chip>}</td>
            <td>
              <Plain text={aboutOf(thrown)} />
            </td>
            <td className={style.wide} title={thrown.words}>
              <Plain text={thrown.words} />
            </td>
            <td className={style.wide} title={thrown.why}>
              <Plain text={thrown.why} />
            </td>
            <td>
              {clock(thrown.thrown_at, now)} <span className="muted">by {thrown.thrown_by}</span>
            </td>
            <td>{stood(thrown, now)}</td>
            <td className={style.wide} title={thrown.lifted_why ?? undefined}>
              {thrown.lifted_at !== null ? (
                <>
                  {clock(thrown.lifted_at, now)} <span className="muted">by {thrown.lifted_by}</span>{" "}
                  <Plain text={thrown.lifted_why ?? ""} />
                </>
              ) : thrown.until === null ? (
                <span className="muted">when somebody lifts it</span>
              ) : (
                clock(thrown.until, now)
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function stood(thrown: Switch, now: number): string {
  const end = thrown.lifted_at ?? (thrown.state === "expired" ? thrown.until : null);
  return duration((end === null ? now : Date.parse(end)) - Date.parse(thrown.thrown_at));
}
