/** Who is signed in, in which tenant. The menu beneath comes when it is wanted first. */
import { type ComponentPropsWithRef, lazy, Suspense, useState } from "react";
import { actingIn } from "../api/client";
import type { Session } from "../api/shapes";
import { Icon } from "../ui/Icon";
import style from "./Account.module.css";

const AccountMenu = lazy(() => import("./AccountMenu"));

export function Account({ session }: { readonly session: Session }) {
  const [wanted, setWanted] = useState(false);
  const button = (
    <AccountButton session={session} onClick={() => setWanted(true)} aria-haspopup="menu" aria-expanded={false} />
  );
  if (!wanted) return button;
  return (
    <Suspense fallback={button}>
      <AccountMenu session={session} />
    </Suspense>
  );
}

export function AccountButton({ session, ...rest }: { readonly session: Session } & ComponentPropsWithRef<"button">) {
  const place = session.tenant ?? actingIn() ?? "every tenant";
  return (
    <button {...rest} className={style.account} aria-label={`Account: ${session.name} in ${place}`}>
      <span className={style.tenant}>{place}</span>
      <Icon name="down" size={11} />
    </button>
  );
}
