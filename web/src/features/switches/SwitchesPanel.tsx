/** What is stopped or narrowed now, and the levers: over whatever page one is on. */
import "@mantine/core/styles/Input.layer.css";
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import { standingQuery } from "../../api/gate";
import { sessionQuery } from "../../api/queries";
import type { Session, Switch } from "../../api/shapes";
import { Dialog } from "../../ui/Dialog";
import { Bones, Trouble } from "../../ui/Empty";
import { Fault } from "../../ui/Fault";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { Plain } from "../../ui/Prose";
import { ago } from "../../ui/words";
import { short } from "../approvals/rules";
import { may } from "../sessions/rules";
import { closeSwitches, type Panel } from "./panel";
import style from "./Switches.module.css";
import { ThrowForm } from "./ThrowForm";

export default function SwitchesPanel({ panel }: { readonly panel: NonNullable<Panel> }) {
  const { data: session } = useQuery(sessionQuery);
  const [throwing, setThrowing] = useState(panel.throwing);
  const steers = session != null && may(session, "operator");
  if (throwing !== null && session != null) {
    return (
      <Dialog close={closeSwitches} title="Throw a switch" size={620} closeBeside={false}>
        <ThrowForm session={session} begun={throwing} done={closeSwitches} back={() => setThrowing(null)} />
      </Dialog>
    );
  }
  return (
    <Dialog close={closeSwitches} title="Switches" size={620}>
      <Standing session={session ?? null} />
      <div className={style.more}>
        <Link to="/switches" className={page.link} onClick={closeSwitches}>
          All that were ever thrown
        </Link>
        <span className={style.gap} />
        <span title={steers ? undefined : "Your key may look, not throw: that takes the role operator"}>
          <Button variant="filled" data-danger disabled={!steers} onClick={() => setThrowing({})} data-autofocus>
            Throw a switch
          </Button>
        </span>
      </div>
    </Dialog>
  );
}

function Standing({ session }: { readonly session: Session | null }) {
  const standing = useQuery({ ...standingQuery, refetchInterval: 3_000 });
  if (standing.data === undefined) {
    if (standing.error === null) return <Bones rows={2} />;
    return <Trouble fault={standing.error} what="the switches" retry={() => void standing.refetch()} />;
  }
  if (standing.data.length === 0) {
    return (
      <p className={style.none}>
        Nothing is thrown: every agent does what its release and policies allow. A switch takes effect on every worker
        within a second.
      </p>
    );
  }
  return (
    <ul className={style.standing} aria-label="Thrown now">
      {standing.data.map((thrown) => (
        <Thrown key={thrown.switch_id} thrown={thrown} session={session} />
      ))}
    </ul>
  );
}

function Thrown({ thrown, session }: { readonly thrown: Switch; readonly session: Session | null }) {
  const [lifting, setLifting] = useState(false);
  const now = useNow();
  const liftable = session !== null && may(session, "operator") && (session.admin || !thrown.deployment);
  return (
    <li className={style.thrown}>
      <div>
        <p className={style.words}>
          <Plain text={thrown.words} />
        </p>
        <p className={style.why}>
          <Plain text={thrown.why} />
        </p>
        <p className={style.who}>
          <Plain text={thrown.thrown_by} />, {ago(thrown.thrown_at, now)}
          {thrown.until === null
            ? ", until somebody lifts it"
            : `, lifts itself in ${short(Date.parse(thrown.until) - now)}`}
          {thrown.in_flight === "cancel" && ", calls under way were cancelled"}
          {thrown.deployment && ", by the deployment"}
        </p>
      </div>
      {!lifting && (
        <span title={liftable ? undefined : whyNot(thrown)}>
          <Button disabled={!liftable} onClick={() => setLifting(true)}>
            Lift
          </Button>
        </span>
      )}
      {lifting && <Lifting thrown={thrown} leave={() => setLifting(false)} />}
    </li>
  );
}

function whyNot(thrown: Switch): string {
  return thrown.deployment
    ? "The deployment threw it: only a deployment admin may lift it"
    : "Your key may look, not lift: that takes the role operator";
}

function Lifting({ thrown, leave }: { readonly thrown: Switch; readonly leave: () => void }) {
  const [why, setWhy] = useState("");
  const cache = useQueryClient();
  const lift = useMutation({
    mutationFn: () => ask(`/v1/switches/${thrown.switch_id}`, { method: "DELETE", body: { why: why.trim() } }),
    onSuccess: async () => {
      await Promise.all([
        cache.invalidateQueries({ queryKey: ["switches"] }),
        cache.invalidateQueries({ queryKey: ["runs"] }),
      ]);
    },
  });
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    lift.mutate();
  };
  return (
    <form className={style.lifting} onSubmit={submit}>
      <TextInput
        label="Why it can be lifted"
        description="Runs that wait because of it go on at once."
        value={why}
        onChange={(event) => setWhy(event.currentTarget.value)}
        autoFocus
      />
      <Button onClick={leave}>Leave it</Button>
      <Button type="submit" variant="filled" disabled={why.trim() === ""} loading={lift.isPending}>
        Lift it
      </Button>
      <Fault fault={lift.error} />
    </form>
  );
}
