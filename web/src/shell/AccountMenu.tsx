/** What opens under the account: who one is, where one looks, and the way out. */
import "@mantine/core/styles/Paper.layer.css";
import "@mantine/core/styles/Popover.layer.css";
import "@mantine/core/styles/Menu.layer.css";
import { Menu } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouter } from "@tanstack/react-router";
import { actingIn, ask } from "../api/client";
import { tenantsQuery } from "../api/queries";
import type { Session } from "../api/shapes";
import { Icon } from "../ui/Icon";
import style from "./Account.module.css";
import { AccountButton } from "./Account";

export default function AccountMenu({ session }: { readonly session: Session }) {
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
  return (
    <Menu width={240} defaultOpened>
      <Menu.Target>
        <AccountButton session={session} />
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
