/** Short names for the shapes that the API sends. */
import type { components } from "./schema";

type Shapes = components["schemas"];

export type Run = Shapes["Run"];
export type Status = Shapes["Status"];
export type Risk = Shapes["Risk"];
export type Result = Shapes["Result"];
export type RunPage = Shapes["RunPage"];
export type Facets = Shapes["Facets"];
export type LogEvent = Shapes["Event"];
export type EventPage = Shapes["EventPage"];
export type Story = Shapes["Story"];
export type Blast = Shapes["Blast"];
export type Span = Shapes["Span"];
export type SpanKind = Shapes["SpanKind"];
export type Part = Shapes["Part"];
export type Turn = Shapes["Turn"];
export type EffectRow = Shapes["EffectRow"];
export type CostRow = Shapes["CostRow"];
export type Trace = Shapes["Trace"];
export type Agent = Shapes["Agent"];
export type Session = Shapes["Session"];
export type Release = Shapes["Release"];
export type ApiKey = Shapes["Key"];
export type Role = "owner" | "operator" | "developer" | "reviewer" | "auditor" | "caller";
