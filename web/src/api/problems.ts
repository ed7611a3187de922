/** What went wrong, in the words of the server (RFC 9457) or, where it could not be reached, in ours. */

export interface Facts {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly request: string | null;
  readonly fields: readonly FieldFault[];
}

export interface FieldFault {
  readonly place: string;
  readonly message: string;
}

export class Problem extends Error {
  readonly facts: Facts;

  constructor(facts: Facts) {
    super(facts.detail);
    this.name = "Problem";
    this.facts = facts;
  }

  get status(): number {
    return this.facts.status;
  }
}

/** The answer of a server that refused; never fails, whatever the body holds. */
export async function problemOf(answer: Response): Promise<Problem> {
  const request = answer.headers.get("x-request-id");
  let body: Record<string, unknown> = {};
  try {
    const read: unknown = await answer.json();
    if (isObject(read)) body = read;
  } catch {
    // A proxy's HTML page or nothing at all: the status says enough.
  }
  const title = text(body.title) ?? `The server answered ${answer.status}`;
  return new Problem({
    status: answer.status,
    code: text(body.code) ?? `http.${answer.status}`,
    title,
    detail: text(body.detail) ?? title,
    request,
    fields: fieldsOf(body.errors),
  });
}

/** The server could not be reached. */
export function unreachable(): Problem {
  const title = "The server can't be reached.";
  return new Problem({
    status: 0,
    code: "network",
    title,
    detail: `${title} Nothing was lost: what you see is the last that it said.`,
    request: null,
    fields: [],
  });
}

export function isProblem(fault: unknown, ...statuses: number[]): fault is Problem {
  return fault instanceof Problem && (statuses.length === 0 || statuses.includes(fault.status));
}

/** Whether asking again may help: not when the server has understood and refused. */
export function worthAnotherTry(fault: unknown): boolean {
  return !isProblem(fault) || fault.status === 0 || fault.status === 429 || fault.status >= 500;
}

function fieldsOf(value: unknown): FieldFault[] {
  if (!Array.isArray(value)) return [];
  return value.filter(isObject).map((fault) => ({
    place: text(fault.place)?.replace(/^body\./, "") ?? "",
    message: [text(fault.problem), text(fault.fix)].filter((part) => part !== undefined).join("; "),
  }));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
