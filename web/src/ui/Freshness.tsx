/** Quiet while a list is as the server has it; says since when it is not. */
import style from "./Freshness.module.css";
import { useNow } from "./now";
import { ago } from "./words";

const STALE = 12_000;

export function Freshness({ updatedAt, failing }: { readonly updatedAt: number; readonly failing: boolean }) {
  const now = useNow();
  if (updatedAt === 0) return null;
  const stale = failing || now - updatedAt > STALE;
  return (
    <span className={`${style.fresh} ${stale ? "tone-stop" : ""}`} role="status" data-stale={stale || undefined}>
      <span className={style.dot} />
      {stale ? `Stale · last heard ${ago(updatedAt, now)}` : "Live"}
    </span>
  );
}
