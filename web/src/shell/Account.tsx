/** Who is signed in, in which tenant, and the way out. */
import { Menu } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouter } from "@tanstack/react-router";
import { actingIn, ask } from "../api/client";
import { tenantsQuery } from "../api/queries";
import type { Session } from "../api/shapes";
import { Icon } from "../ui/Icon";
import style from "./Account.module.css";

export function Account({ session }: { readonly session: Session }) {
  const cache = useQueryClient();
  const router = useRouter();
  const leave = async (): Promise<void> => {
    try {
      await ask("/v1/sessions/current", { method: "DELETE" });
    } finally {
      cache.clear();
      await router.navigate({ to: "/sign-in" });
    }
  };
  const place = session.tenant ?? actingIn() ?? "every tenant";
  return (
    <Menu width={240}>
      <Menu.Target>
        <button className={style.account} aria-label={`Account: ${session.name} in ${place}`}>
          <span className={style.tenant}>{place}</span>
          <Icon name="down" size={11} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <div className={style.who}>
          <strong>{session.name}</strong>
          <span className="muted">{session.admin ? "deployment admin" : session.roles.join(", ")}</span>
        </div>
        <Menu.Divider />
        {session.admin && <Tenants />}
        <Menu.Item leftSection={<Icon name="out" />} onClick={() => void leave()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** A deployment admin chooses whose runs to look at; the choice stands in the URL. */
function Tenants() {
  const { data } = useQuery(tenantsQuery);
  const navigate = useNavigate();
  const here = actingIn();
  return (
    <>
      <Menu.Label>Look into</Menu.Label>
      <div className={style.tenants}>
        {data?.map((tenant) => (
          <Menu.Item
            key={tenant.slug}
            rightSection={tenant.slug === here ? <Icon name="check" /> : null}
            onClick={() => void navigate({ to: "/runs", search: { tenant: tenant.slug } })}
          >
            {tenant.slug}
          </Menu.Item>
        ))}
      </div>
      <Menu.Divider />
    </>
  );
}
