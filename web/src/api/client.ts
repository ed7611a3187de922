/** The one place from which the console speaks to the server: public API only, so that every view can be scripted. */
import { problemOf, unreachable } from "./problems";

export type Params = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface Ask {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly params?: Params;
  readonly body?: unknown;
  /** What one has seen and means to replace: the server refuses (412) where it is another by now. */
  readonly ifMatch?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

let tenant: string | null = null;
let signedOut: () => void = () => undefined;

/** A deployment admin looks into one tenant at a time; everybody else has theirs in the session. */
export function actIn(slug: string | null): void {
  tenant = slug;
}

export function actingIn(): string | null {
  return tenant;
}

/** What to do when the server no longer knows this session. */
export function onSignedOut(then: () => void): void {
  signedOut = then;
}

/** One request. Resolves to the JSON of the answer (undefined for 204); throws Problem. */
export async function ask<T>(path: string, asked: Ask = {}): Promise<T> {
  const answer = await request(path, asked);
  if (answer.status === 204) return undefined as T;
  return (await answer.json()) as T;
}

/** What was answered, with the ETag that a change of it names. */
export interface Tagged<T> {
  readonly value: T;
  readonly etag: string | null;
}

/** The same where the ETag stands in the head of the answer alone. */
export async function askTagged<T>(path: string, asked: Ask = {}): Promise<Tagged<T>> {
  const answer = await request(path, asked);
  return { value: (await answer.json()) as T, etag: answer.headers.get("etag") };
}

async function request(path: string, { method = "GET", params, body, ifMatch, signal }: Ask): Promise<Response> {
  const headers = headersFor("application/json");
  if (body !== undefined) headers.set("content-type", "application/json");
  if (ifMatch != null) headers.set("if-match", ifMatch);
  return send(path + query(params), {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ?? null,
  });
}

/** The text of a stored payload, or null when it is no text. */
export async function askText(path: string, params: Params, signal?: AbortSignal): Promise<string> {
  const answer = await send(path + query(params), { headers: headersFor("*/*"), signal: signal ?? null });
  return answer.text();
}

/** An open event stream; null where there is nothing more to come. `after` is the last number seen. Throws Problem. */
export async function openStream(
  path: string,
  after: number,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array> | null> {
  const headers = headersFor("text/event-stream");
  headers.set("last-event-id", String(after));
  const answer = await send(path, { headers, signal, cache: "no-store" });
  if (answer.status === 204) return null;
  if (answer.body === null) throw unreachable();
  return answer.body;
}

function headersFor(accept: string): Headers {
  const headers = new Headers({ accept });
  if (tenant !== null) headers.set("quarterdeck-tenant", tenant);
  return headers;
}

declare global {
  interface Window {
    /** Questions that the page's first script has asked while this code was on its way, by path. */
    quarterdeckEarly?: Record<string, Promise<Response>>;
  }
}

const EARLY = 8_000;

/** The answer that the page's first script has asked for, to the one who asks first; null where it is old or a refusal. */
async function early(path: string, request: RequestInit): Promise<Response | null> {
  if (typeof window === "undefined" || (request.method ?? "GET") !== "GET" || tenant !== null) return null;
  const asked = window.quarterdeckEarly?.[path];
  if (asked === undefined) return null;
  delete window.quarterdeckEarly?.[path];
  if (performance.now() > EARLY) return null;
  const answer = await asked.catch(() => null);
  return answer?.ok === true ? answer : null;
}

async function send(path: string, request: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = (await early(path, request)) ?? (await fetch(path, { credentials: "same-origin", ...request }));
  } catch (fault) {
    if (request.signal?.aborted) throw fault;
    throw unreachable();
  }
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (problem.status === 401) signedOut();
  throw problem;
}

/** `?a=1&b=2&b=3`, leaving out what is undefined or empty. */
export function query(params: Params = {}): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === "") continue;
    for (const each of Array.isArray(value) ? (value as readonly string[]) : [String(value)]) pairs.append(name, each);
  }
  const text = pairs.toString();
  return text === "" ? "" : `?${text}`;
}
