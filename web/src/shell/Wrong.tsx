/** What one sees where there is no page, and where this code itself has failed. */
import { Button } from "@mantine/core";
import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { Empty, Trouble } from "../ui/Empty";

export function NoPage() {
  return (
    <Empty
      icon="search"
      title="There is no such page"
      actions={<Button renderRoot={(props) => <Link to="/runs" {...props} />}>To the runs</Button>}
    >
      The address may be cut short or belong to a newer version.
    </Empty>
  );
}

export function Crash({ error, reset }: ErrorComponentProps) {
  return <Trouble fault={error} what="this page" retry={reset} />;
}
