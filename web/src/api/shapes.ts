/** Short names for the shapes that the API sends. `schema.d.ts` is made from its description: `python -m scripts.shapes`. */
import type { components } from "./schema";

type Shapes = components["schemas"];

export type Run = Shapes["RunRecord"];
/** A run with what its log tells. */
export type WholeRun = Shapes["WholeRunRecord"];
export type Doubt = Shapes["DoubtRecord"];
export type Status = Shapes["Status"];
export type Risk = Run["risk_level"];
export type RunPage = Shapes["RunPage"];
export type Facets = Shapes["FacetsRecord"];
export type LogEvent = Shapes["EventRecord"];
export type EventPage = Shapes["EventPage"];
export type Story = Shapes["StoryRecord"];
export type Blast = Shapes["BlastRecord"];
export type Span = Shapes["SpanRecord"];
export type SpanKind = Span["kind"];
export type EffectRow = Shapes["EffectRecord"];
export type CostRow = Shapes["CostRecord"];
export type Agent = Shapes["AgentRecord"];
export type AgentPage = Shapes["AgentPage"];
export type ReleasePage = Shapes["ReleasePage"];
export type ApiKey = Shapes["KeyRecord"];
export type KeyPage = Shapes["KeyPage"];
export type IssuedKey = Shapes["IssuedKey"];
export type Session = Shapes["ActorRecord"];
export type TenantPage = Shapes["TenantPage"];
export type WholeRelease = Shapes["WholeReleaseRecord"];
export type Approval = Shapes["ApprovalRecord"];
export type ApprovalPage = Shapes["ApprovalPage"];
export type ApprovalState = Approval["state"];
export type ApprovalFacets = Shapes["ApprovalFacets"];
export type BatchAnswer = Shapes["BatchRecord"];
/** A question as the run that waits for it lists it. */
export type PendingApproval = Shapes["PendingApproval"];
export type Escalation = Shapes["EscalationRecord"];
export type EscalationPage = Shapes["EscalationPage"];
export type EscalationFacets = Shapes["EscalationFacets"];
export type AutonomyLine = Shapes["AutonomyRecord"];
export type AutonomyPage = Shapes["AutonomyPage"];
export type Level = Shapes["Autonomy"];
export type ChangePage = Shapes["ChangePage"];
export type Switch = Shapes["SwitchRecord"];
export type SwitchPage = Shapes["SwitchPage"];
export type Scope = Switch["scope"];
export type Action = Switch["action"];
export type Reach = Shapes["ReachRecord"];
export type RatePage = Shapes["RatePage"];
export type Policy = Shapes["PolicyRecord"];
export type PolicyPage = Shapes["PolicyPage"];
export type KeptPolicy = Shapes["KeptRecord"];
export type Findings = Shapes["FindingsRecord"];
export type Finding = Findings["findings"][number];
export type Difference = Shapes["DifferenceRecord"];
export type ReleasePolicies = Shapes["ReleasePoliciesRecord"];
export type Explanation = Shapes["ExplanationRecord"];
export type Simulation = Shapes["SimulationRecord"];
export type May = Shapes["MayRecord"];
export type MayPage = Shapes["MayPage"];
export type UnusedPage = Shapes["UnusedPage"];
export type PatternPage = Shapes["PatternPage"];
export type AuditRow = Shapes["AuditRow"];
export type AuditPage = Shapes["AuditPage"];
export type WholeAuditRow = Shapes["WholeAuditRow"];
export type Chain = Shapes["ChainRecord"];
export type Verification = Shapes["VerificationRecord"];
export type Budget = Shapes["BudgetRecord"];
export type BudgetPage = Shapes["BudgetPage"];
export type BudgetBody = Shapes["BudgetBody"];
export type BudgetScope = Budget["scope"];
export type Spending = Shapes["SpendingRecord"];
export type Account = Shapes["AccountRecord"];
export type AccountPage = Shapes["AccountPage"];
export type Suggestion = Shapes["SuggestionRecord"];
export type Alert = Shapes["AlertRecord"];
export type AlertPage = Shapes["AlertPage"];
export type AlertFacets = Shapes["AlertFacets"];
export type Severity = Alert["severity"];
export type NearRun = Shapes["NearRecord"];
export type NearPage = Shapes["NearPage"];
export type UsageReport = Shapes["UsageReport"];
export type UsageLine = Shapes["UsageLine"];
export type Concentration = Shapes["Concentration"];
export type Outliers = Shapes["Outliers"];
export type Outlier = Outliers["items"][number];
export type Savings = Shapes["Savings"];
export type Proof = Shapes["ProofRecord"];
export type Role = "owner" | "operator" | "developer" | "reviewer" | "auditor" | "caller";

export interface Label {
  readonly source: string;
  readonly trust?: "trusted" | "untrusted";
}

interface Words {
  readonly text: string;
  readonly label?: Label;
  /** Cut to its beginning; `length` is that of the whole, which the event has. */
  readonly cut?: boolean;
  readonly length?: number;
}

/** A part of what somebody said. The API leaves these open; this is what is known of them today. */
export type Part =
  | ({ readonly type: "text" } & Words)
  | ({ readonly type: "thinking" } & Words)
  | {
      readonly type: "stored";
      readonly key: string;
      readonly size: number;
      readonly media_type?: string;
      readonly begins?: string;
      readonly label?: Label;
    }
  | {
      readonly type: "call";
      readonly id: string;
      readonly tool: string;
      readonly arguments: Readonly<Record<string, unknown>>;
      readonly raw?: string | null;
    };

/** One message of a conversation. */
export interface Turn {
  readonly seq: number;
  readonly at: string;
  readonly role: Shapes["MessageRecord"]["role"];
  readonly content: readonly Part[];
  readonly step?: number;
  readonly call?: string;
  readonly tool?: string;
  readonly is_error?: boolean;
  /** Why the runtime said it, where nobody else did. */
  readonly cause?: string;
  readonly label?: Label;
}

export type Trace = Omit<Shapes["TraceRecord"], "conversation"> & { readonly conversation: readonly Turn[] };
