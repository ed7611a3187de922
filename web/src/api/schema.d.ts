// The API's shapes, in the form that openapi-typescript writes them: `npm run schema` makes this file from /openapi.json.
export interface components {
  schemas: {
    Risk: "read" | "write" | "money" | "irreversible";
    Status:
      | "queued"
      | "running"
      | "waiting_for_approval"
      | "waiting_for_connection"
      | "waiting_for_outcome"
      | "waiting_for_retry"
      | "cancelling"
      | "succeeded"
      | "failed"
      | "stopped"
      | "cancelled";
    Run: {
      run_id: string;
      kind: string;
      tenant: string;
      agent: string;
      release: string;
      agent_version: string;
      user_id: string;
      thread_id: string | null;
      parent_run_id: string | null;
      status: components["schemas"]["Status"];
      reason: string | null;
      why: string;
      current_step: string;
      priority: number;
      tags: Record<string, string>;
      title: string;
      submitted_by: string;
      created_at: string;
      available_at: string;
      started_at: string | null;
      finished_at: string | null;
      attempt: number;
      last_seq: number;
      duration_ms: number;
      waiting_ms: number;
      queued_ms: number;
      steps_used: number;
      tool_calls: number;
      failed_calls: number;
      input_tokens: number;
      output_tokens: number;
      cost_micro_usd: number;
      estimated_cost_usd: number;
      risk_level: components["schemas"]["Risk"];
      error_code: string | null;
      owner?: string;
      budget?: Record<string, number | null>;
      result?: components["schemas"]["Result"] | null;
    };
    Result: {
      text: string;
      output: unknown;
      handoff: components["schemas"]["Handoff"] | null;
      error: string | null;
    };
    Handoff: { done?: string[]; left?: string[]; why?: string; last_words?: string };
    RunPage: { items: components["schemas"]["Run"][]; next_cursor: string | null };
    Facets: { status: Record<string, number>; agent: Record<string, number>; cause: Record<string, number> };
    Event: { seq: number; kind: string; v: number; attempt: number; at: string; data: Record<string, unknown> };
    EventPage: { items: components["schemas"]["Event"][]; next_cursor: string | null };
    Clause: { text: string; seq: number | null };
    Story: {
      sentence: string;
      clauses: components["schemas"]["Clause"][];
      tone: "ok" | "running" | "waiting" | "stopped" | "failed";
    };
    Blast: { same_cause_this_release: number; same_cause_previous_release: number; cause: string };
    SpanKind:
      | "run"
      | "attempt"
      | "queue"
      | "model"
      | "tool"
      | "policy"
      | "wait"
      | "guardrail"
      | "checkpoint"
      | "message";
    Span: {
      id: string;
      parent: string | null;
      seq: number;
      end_seq: number | null;
      kind: components["schemas"]["SpanKind"];
      name: string;
      status: "ok" | "error" | "running" | "waiting" | "denied" | "unknown";
      start: string;
      end: string | null;
      ms: number;
      risk: components["schemas"]["Risk"] | null;
      attributes: Record<string, unknown>;
    };
    Label: { source: string; trust?: "trusted" | "untrusted" };
    Part:
      | { type: "text"; text: string; label?: components["schemas"]["Label"] | null }
      | {
          type: "stored";
          key: string;
          size: number;
          media_type?: string;
          begins?: string;
          label?: components["schemas"]["Label"] | null;
        }
      | { type: "thinking"; text: string }
      | { type: "call"; id: string; tool: string; arguments: Record<string, unknown>; raw?: string | null };
    Turn: {
      seq: number;
      at: string;
      role: "user" | "model" | "tool";
      content: components["schemas"]["Part"][];
      step?: number | null;
      call?: string | null;
      tool?: string | null;
      is_error?: boolean;
      cause?: string | null;
      label?: components["schemas"]["Label"] | null;
    };
    EffectRow: {
      call: string;
      tool: string;
      effect: string;
      repeat: string;
      key: string;
      arguments_digest: string;
      state: "intended" | "happened" | "failed" | "unknown" | "did_not_happen";
      intended_at: string;
      not_after: string;
      settled_at: string | null;
      settled_by: string | null;
    };
    Usage: { input?: number; output?: number; cache_read?: number; cache_write?: number; reasoning?: number };
    CostRow: {
      step: number;
      seq: number;
      model: string;
      usage: components["schemas"]["Usage"];
      cost: number | null;
    };
    Trace: {
      run: components["schemas"]["Run"];
      story: components["schemas"]["Story"];
      facts: Record<string, unknown>;
      blast: components["schemas"]["Blast"] | null;
      spans: components["schemas"]["Span"][];
      conversation: components["schemas"]["Turn"][];
      effects: components["schemas"]["EffectRow"][];
      cost: components["schemas"]["CostRow"][];
    };
    Agent: {
      name: string;
      release: string;
      agent_version: string;
      label: string | null;
      owner: string;
      description: string;
      model: components["schemas"]["Model"];
      tools: string[];
      disabled: boolean;
      disabled_at: string | null;
      created_at: string;
      updated_at: string;
    };
    Model: { provider: string; id: string };
    Release: {
      release: string;
      agent: string;
      agent_version: string;
      label: string | null;
      model: components["schemas"]["Model"];
      registered_by: string;
      registered_at: string;
      current: boolean;
    };
    Key: {
      id: string;
      name: string;
      deployment: boolean;
      status: "active" | "expired" | "revoked";
      roles: string[];
      agents: string[] | null;
      environments: string[] | null;
      may_assert_user: boolean;
      created_by: string;
      created_at: string;
      expires_at: string | null;
      revoked_at: string | null;
      last_used_at: string | null;
    };
    Session: {
      key_id: string;
      name: string;
      user_id: string;
      tenant: string | null;
      admin: boolean;
      roles: string[];
      agents: string[] | null;
      environments: string[] | null;
      may_assert_user: boolean;
    };
  };
}
