/** The way to the rest of a list that comes in pages. */
import { Button } from "@mantine/core";
import style from "./ui.module.css";

interface Props {
  readonly list: {
    readonly hasNextPage: boolean;
    readonly isFetchingNextPage: boolean;
    readonly isFetchNextPageError: boolean;
    readonly fetchNextPage: () => unknown;
  };
  readonly what: string;
}

export function More({ list, what }: Props) {
  if (!list.hasNextPage) return null;
  return (
    <div className={style.goOn}>
      <Button loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
        Show more {what}
      </Button>
      {list.isFetchNextPageError && <span className="tone-fail">They could not be loaded; try again.</span>}
    </div>
  );
}
