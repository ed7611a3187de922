/** Rows of equal height under a head that stays in sight: of thousands only those that one sees exist. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useEffect } from "react";

export const ROW = 28;

/** How far from its end a list asks for more. */
const AHEAD = 20;

interface Wanted {
  readonly count: number;
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly keyOf: (at: number) => string | number;
  /** Called when the end comes near, once for each length of the list. */
  readonly more: () => void;
}

export interface Shown {
  readonly key: string | number | bigint;
  readonly at: number;
  /** Where it stands below the head, in pixels. */
  readonly top: number;
}

export interface Rows {
  readonly shown: readonly Shown[];
  readonly height: number;
  readonly scrollTo: (at: number) => void;
}

export function useRows({ count, scroller, keyOf, more }: Wanted): Rows {
  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer re-renders this component itself
  const rows = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: keyOf,
    overscan: 12,
    scrollMargin: ROW,
    scrollPaddingStart: ROW,
  });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= count - AHEAD) more();
    // Only reaching the end asks for more, not each render of the page around.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [last, count]);
  return {
    shown: items.map((item) => ({ key: item.key, at: item.index, top: item.start - ROW })),
    height: rows.getTotalSize(),
    scrollTo: (at) => rows.scrollToIndex(at, { align: "auto" }),
  };
}
