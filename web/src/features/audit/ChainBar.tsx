/** Whether the account is whole: how far it is sealed, a look along the whole chain, and the chain to take along. */
import { Button } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { actingIn, ask } from "../../api/client";
import { chainQuery } from "../../api/gate";
import type { Verification } from "../../api/shapes";
import { CopyButton } from "../../ui/Copy";
import { Fault } from "../../ui/Fault";
import { Icon } from "../../ui/Icon";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { ago } from "../../ui/words";
import style from "./Audit.module.css";
import { chainInWords, faultInWords, reportOf } from "./rules";

export function ChainBar() {
  const chain = useQuery({ ...chainQuery, refetchInterval: 5_000 });
  const now = useNow();
  const verify = useMutation({ mutationFn: () => ask<Verification>("/v1/audit/verify") });
  return (
    <div className={style.chain}>
      <div className={style.line}>
        {chain.data !== undefined && (
          <span>
            {chainInWords(chain.data)}
            {chain.data.head !== null && (
              <span className="muted">
                {" "}
                · signed {ago(chain.data.head.at, now)} · head <code>{chain.data.head.hash.slice(0, 12)}</code>
                <CopyButton text={JSON.stringify(chain.data, null, 2)} what="signed head and public key" />
              </span>
            )}
          </span>
        )}
        <span className={page.gap} />
        <Button
          size="compact-sm"
          loading={verify.isPending}
          onClick={() => verify.mutate()}
          leftSection={<Icon name="check" size={12} />}
        >
          Verify the chain
        </Button>
        {/* A link can't name the tenant that an admin looks into: there the shell does it. */}
        {actingIn() === null && (
          <a className={page.link} href="/v1/audit/export" download="audit.jsonl">
            Export as JSON lines
          </a>
        )}
      </div>
      <Fault fault={verify.error} />
      {verify.data !== undefined && <Found found={verify.data} />}
    </div>
  );
}

function Found({ found }: { readonly found: Verification }) {
  const report = reportOf(found);
  return (
    <div className={style.report} data-broken={!found.valid || undefined} role="status">
      <p className={report.tone === "fail" ? "tone-fail" : ""}>
        <Icon name={found.valid ? "check" : "warn"} size={13} /> <strong>{report.sentence}</strong>
      </p>
      <p className="muted">{report.facts.join(" · ")}</p>
      {found.findings.length > 0 && (
        <ul>
          {found.findings.map((finding) => (
            <li key={`${finding.fault} ${finding.first}`}>{faultInWords(finding)}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
