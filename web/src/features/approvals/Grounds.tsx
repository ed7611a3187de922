/** Why a person is asked: the rule, the policies in their own words, and how such questions ended before. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { decisionsQuery, policiesQuery, releasePoliciesQuery } from "../../api/gate";
import type { Approval } from "../../api/shapes";
import { CopyButton } from "../../ui/Copy";
import { useNow } from "../../ui/now";
import page from "../../ui/Page.module.css";
import { gist } from "../../ui/prose";
import { Plain, Prose } from "../../ui/Prose";
import { ago, count } from "../../ui/words";
import { Pairs, Section } from "../run/Section";
import style from "./Grounds.module.css";
import { policyTextOf } from "../policy/rules";

export function Grounds({ approval }: { readonly approval: Approval }) {
  return (
    <>
      <Section name="Why it asks">
        {approval.reason !== "" && <Prose text={approval.reason} lines={8} />}
        <Pairs
          pairs={[
            ["Rule", <code key="rule">{approval.rule}</code>],
            ["May answer", [...new Set([...approval.roles, "owner"])].join(", ")],
            ["People", approval.people > 1 ? `${approval.people} different ones` : null],
          ]}
        />
      </Section>
      {approval.policies.length > 0 && (
        <Section name={approval.policies.length === 1 ? "Policy" : "Policies"}>
          <PolicyTexts approval={approval} />
        </Section>
      )}
      <Before approval={approval} />
      <Section name="Bound to">
        <Pairs
          pairs={[
            ["Release", <code key="release">{approval.release.slice(0, 12)}</code>],
            [
              "Arguments",
              <span key="digest">
                <code>{approval.digest.slice(0, 12)}</code>
                <CopyButton text={approval.digest} what="digest of the arguments" />
              </span>,
            ],
          ]}
        />
        <p className={style.legend}>
          A yes counts once, for this call with these arguments. Switches, policies and limits are asked again when it
          is made.
        </p>
      </Section>
    </>
  );
}

/** Each policy that asks, in its own words where its text can be had. */
function PolicyTexts({ approval }: { readonly approval: Approval }) {
  const release = useQuery({ ...releasePoliciesQuery(approval.release), retry: false });
  const own = useQuery({ ...policiesQuery, retry: false });
  return (
    <ul>
      {approval.policies.map((id) => {
        const found = policyTextOf(id, release.data?.texts ?? [], own.data?.items ?? []);
        return (
          <li key={id} className={style.policy}>
            {found?.tenant === true ? (
              <Link to="/policy" search={{ tab: "policies", name: found.name }} className={page.link}>
                <code>{id}</code>
              </Link>
            ) : (
              <code>{id}</code>
            )}
            {found !== null && found.text !== "" && (
              <pre className={style.text} tabIndex={0} aria-label={`Text of ${id}`}>
                <Plain text={found.text} />
              </pre>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Before({ approval }: { readonly approval: Approval }) {
  const now = useNow();
  const { similar } = approval;
  const decisions = useQuery(decisionsQuery(approval.agent, approval.tool));
  const answered = (decisions.data ?? [])
    .filter((one) => one.state !== "pending" && one.approval_id !== approval.approval_id)
    .slice(0, 6);
  const none = similar.approved + similar.denied + similar.expired + answered.length === 0;
  return (
    <Section name="Such questions in the last 90 days">
      {none ? (
        <p className="muted">None: this is the first about {approval.tool}.</p>
      ) : (
        <p className={style.counts}>
          <span>
            <strong>{many(similar.approved)}</strong> approved
          </span>
          <span>
            <strong>{many(similar.denied)}</strong> denied
          </span>
          <span>
            <strong>{many(similar.expired)}</strong> expired
          </span>
        </p>
      )}
      <ul>
        {answered.map((one) => (
          <li key={one.approval_id} className={style.decision}>
            <div className={style.line}>
              <span className={`${style.word} ${one.state === "denied" ? "tone-stop" : ""}`}>{one.state}</span>
              <Link
                to="/approvals"
                search={{ state: "all", agent: one.agent, tool: one.tool, id: one.approval_id }}
                className={`${style.gist} ${page.link}`}
                title={gist(one.arguments, 300)}
              >
                <Plain text={one.summary || one.tool} />
              </Link>
              <span className={style.when}>{ago(one.answered_at ?? one.asked_at, now)}</span>
            </div>
            {one.why !== "" && (
              <p className={style.says}>
                <Plain text={one.why} />
              </p>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function many(n: number): string {
  return n >= 1000 ? "1,000 or more" : count(n);
}
