/** Trades an API key for a session: the key itself is not kept in the browser. */
import "@mantine/core/styles/Input.layer.css";
import "@mantine/core/styles/PasswordInput.layer.css";
import { Button, PasswordInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { type SyntheticEvent, useState } from "react";
import { ask } from "../../api/client";
import { isProblem } from "../../api/problems";
import { sessionQuery } from "../../api/queries";
import { Command } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import style from "./SignIn.module.css";

const route = getRouteApi("/sign-in");

export default function SignIn() {
  const [key, setKey] = useState("");
  const { next } = route.useSearch();
  const router = useRouter();
  const cache = useQueryClient();
  const signIn = useMutation({
    mutationFn: () => ask("/v1/sessions", { method: "POST", body: { key: key.trim() } }),
    onSuccess: async () => {
      cache.clear();
      await cache.query(sessionQuery);
      router.history.push(next ?? "/runs");
    },
  });
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <main className={style.page}>
      <form className={style.card} onSubmit={submit}>
        <div className={style.brand}>
          <Icon name="brand" size={22} />
          <h1>Quarterdeck</h1>
        </div>
        <PasswordInput
          label="API key"
          placeholder="qd_…"
          autoComplete="current-password"
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
          error={signIn.isError && reason(signIn.error)}
          size="sm"
          data-autofocus
          autoFocus
          required
          withAsterisk={false}
        />
        <Button
          type="submit"
          variant="filled"
          size="sm"
          loading={signIn.isPending}
          disabled={key.trim() === ""}
          fullWidth
        >
          Sign in
        </Button>
        <div className={style.hint}>
          <p>No key yet? Where the server runs, this prints the first one:</p>
          <Command text="qd bootstrap" />
        </div>
      </form>
    </main>
  );
}

function reason(fault: unknown): string {
  if (isProblem(fault, 401)) return "This key is not known here. It may be mistyped, expired or revoked.";
  if (isProblem(fault)) return fault.facts.detail;
  return "Signing in did not work.";
}
