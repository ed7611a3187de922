/** The head of the list: which view, what is searched, how fresh it is. */
import { Button } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useKeys } from "../../shell/keys";
import { Key } from "../../ui/Empty";
import { Freshness } from "../../ui/Freshness";
import { Icon } from "../../ui/Icon";
import { Plain } from "../../ui/Prose";
import { applied, type Filters, RANGES, type Range, viewOf, VIEWS, without } from "./filters";
import style from "./RunsBar.module.css";

interface Props {
  readonly filters: Filters;
  readonly show: (filters: Filters) => void;
  readonly grouped: boolean;
  readonly group: (on: boolean) => void;
  readonly updatedAt: number;
  readonly failing: boolean;
}

export function RunsBar({ filters, show, grouped, group, updatedAt, failing }: Props) {
  const chips = applied(filters);
  const view = viewOf(filters);
  useKeys([
    { keys: "c", words: "Group by cause", group: "Runs", act: () => group(!grouped) },
    { keys: "x", words: "Clear the filters", group: "Runs", act: () => show({}) },
    ...VIEWS.map((each, at) => ({
      keys: String(at + 1),
      words: each.word === "All" ? "All runs" : `Runs: ${each.word.toLowerCase()}`,
      group: "Runs",
      act: () => show({ ...without(filters, "status"), ...(each.status.length > 0 ? { status: each.status } : {}) }),
    })),
  ]);
  return (
    <div className={style.bar}>
      <div className={style.line}>
        <h1 className={style.title}>Runs</h1>
        <span className={style.fresh}>
          <Freshness updatedAt={updatedAt} failing={failing} />
        </span>
        <div className={style.views} role="group" aria-label="Views">
          {VIEWS.map((each) => (
            <button
              key={each.word}
              className={style.view}
              aria-pressed={view === each.word}
              onClick={() =>
                show({ ...without(filters, "status"), ...(each.status.length > 0 ? { status: each.status } : {}) })
              }
            >
              {each.word}
            </button>
          ))}
        </div>
        <span className={style.gap} />
        <SearchField key={filters.q ?? ""} filters={filters} show={show} />
        <RangeChoice filters={filters} show={show} />
        <Button
          leftSection={<Icon name="group" />}
          aria-pressed={grouped}
          data-on={grouped || undefined}
          className={style.toggle}
          onClick={() => group(!grouped)}
        >
          By cause
        </Button>
      </div>
      {chips.length > 0 && (
        <div className={style.chips}>
          {chips.map((chip) => (
            <button
              key={chip.name}
              className={style.chip}
              onClick={() => show(without(filters, chip.name))}
              aria-label={`Remove the filter ${chip.words}`}
            >
              <span>
                <Plain text={chip.words} />
              </span>
              <Icon name="cross" size={10} />
            </button>
          ))}
          <button className={style.clear} onClick={() => show({})}>
            Clear
          </button>
        </div>
      )}
    </div>
  );
}

/** Typing filters after a short pause; Enter at once. */
function SearchField({ filters, show }: Pick<Props, "filters" | "show">) {
  const [words, setWords] = useState(filters.q ?? "");
  const field = useRef<HTMLInputElement>(null);
  const latest = useRef({ filters, show });
  useEffect(() => {
    latest.current = { filters, show };
  });
  useKeys([{ keys: "/", words: "Filter by words", group: "Runs", act: () => field.current?.focus() }]);
  const apply = (): void => {
    if (words.trim() === (filters.q ?? "")) return;
    show({ ...without(filters, "q"), ...(words.trim() === "" ? {} : { q: words.trim() }) });
  };
  return (
    <form
      className={style.search}
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        apply();
        field.current?.blur();
      }}
    >
      <Icon name="filter" size={13} />
      <input
        ref={field}
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
        onBlur={apply}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
        }}
        placeholder="Title, why, user, id"
        aria-label="Filter by words"
      />
      <Key>/</Key>
    </form>
  );
}

function RangeChoice({ filters, show }: Pick<Props, "filters" | "show">) {
  const choose = (range: string): void =>
    show({ ...without(filters, "range"), ...(range === "" ? {} : { range: range as Range }) });
  return (
    <select
      className={style.range}
      aria-label="Time"
      value={filters.range ?? ""}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {(Object.keys(RANGES) as Range[]).map((range) => (
        <option key={range} value={range}>
          {RANGES[range].word}
        </option>
      ))}
      <option value="">All time</option>
    </select>
  );
}
