/** What a session may do. Only a courtesy: the server decides, this keeps people from pressing in vain. */
import type { Role, Session } from "../../api/shapes";

/** Whether one of the roles is held; owners and deployment admins may all. */
export function may(session: Session, ...roles: readonly Role[]): boolean {
  return session.admin || session.roles.includes("owner") || roles.some((role) => session.roles.includes(role));
}
