/** Cost over time as bars, drawn by hand: each can be read by pointing at it or with the arrow keys, and all as a table. */
import { type KeyboardEvent, useState } from "react";
import { count, money } from "../../ui/words";
import type { Every } from "./filters";
import { type Group, type Series, stretchInWords, tickInWords, ticksOf } from "./rules";
import style from "./Usage.module.css";

interface Props {
  readonly series: Series;
  readonly every: Every;
  /** The group whose part of each bar is drawn dark; null = all of it is. */
  readonly picked: Group | null;
  readonly pickedName: string;
}

const MARKS = 9;

export function Chart({ series, every, picked, pickedName }: Props) {
  const { stretches, costs } = series;
  const [at, setAt] = useState<number | null>(null);
  const ticks = ticksOf(Math.max(...costs, 0));
  const top = ticks.at(-1) ?? 1;
  const last = stretches.length - 1;
  const here = at === null ? null : Math.min(at, last);
  const said = (index: number): string => reading(series, every, index, picked, pickedName);
  const onKeyDown = (event: KeyboardEvent): void => {
    const moves: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    const by = moves[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setAt(Math.max(0, Math.min(last, (here ?? (by < 0 ? last + 1 : -1)) + by)));
  };
  const width = 100 / Math.max(1, stretches.length);
  const gap = stretches.length > 100 ? 0.1 : 0.22;
  return (
    <figure className={style.figure}>
      <figcaption className={style.caption} aria-live="polite">
        {here === null ? (
          <>
            Cost {every === "hour" ? "an hour" : `a ${every}`}
            {picked !== null && <Legend name={pickedName} />}
          </>
        ) : (
          said(here)
        )}
      </figcaption>
      <div className={style.chart}>
        <div className={style.ticks} aria-hidden="true">
          {ticks.map((tick) => (
            <span key={tick} style={{ bottom: `${(100 * tick) / top}%` }}>
              {tickInWords(tick)}
            </span>
          ))}
        </div>
        <div
          className={style.plot}
          role="slider"
          tabIndex={0}
          aria-label={`Cost over time, ${stretches.length} bars`}
          aria-orientation="horizontal"
          aria-valuemin={0}
          aria-valuemax={Math.max(0, last)}
          aria-valuenow={here ?? last}
          aria-valuetext={said(here ?? last)}
          onKeyDown={onKeyDown}
          onMouseLeave={() => setAt(null)}
          onBlur={() => setAt(null)}
          onFocus={(event) => {
            if (event.currentTarget.matches(":focus-visible")) setAt(last);
          }}
          onMouseMove={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            setAt(Math.max(0, Math.min(last, Math.floor(((event.clientX - box.left) / box.width) * stretches.length))));
          }}
        >
          <svg width="100%" height="100%" aria-hidden="true" focusable="false">
            {ticks.map((tick) => (
              <line key={tick} x1="0" x2="100%" y1={up(tick, top)} y2={up(tick, top)} className={style.grid} />
            ))}
            {here !== null && (
              <rect x={`${here * width}%`} width={`${width}%`} y="0" height="100%" className={style.sight} />
            )}
            {stretches.map((stretch, index) => (
              <g key={stretch}>
                <Bar x={index} width={width} gap={gap} part={(costs[index] ?? 0) / top} dim={picked !== null} />
                {picked !== null && (
                  <Bar x={index} width={width} gap={gap} part={(picked.costs[index] ?? 0) / top} dim={false} />
                )}
              </g>
            ))}
          </svg>
        </div>
        <div className={style.times} aria-hidden="true">
          {marked(stretches.length).map((index) => (
            <span key={index} style={{ left: `${(index + 0.5) * width}%` }}>
              {stretchInWords(stretches[index] ?? 0, every)}
            </span>
          ))}
        </div>
      </div>
      <AsTable series={series} every={every} picked={picked} pickedName={pickedName} />
    </figure>
  );
}

function Legend({ name }: { readonly name: string }) {
  return (
    <span className={style.legend}>
      <i /> {name} <i data-dim /> everything else
    </span>
  );
}

function Bar({
  x,
  width,
  gap,
  part,
  dim,
}: {
  readonly x: number;
  readonly width: number;
  readonly gap: number;
  readonly part: number;
  readonly dim: boolean;
}) {
  if (part <= 0) return null;
  // However little it is, one sees that there was something.
  const height = Math.max(part * 100, 0.8);
  return (
    <rect
      className={style.column}
      data-dim={dim || undefined}
      x={`${(x + gap / 2) * width}%`}
      width={`${(1 - gap) * width}%`}
      y={`${100 - height}%`}
      height={`${height}%`}
    />
  );
}

function reading(
  { stretches, costs, calls }: Series,
  every: Every,
  index: number,
  picked: Group | null,
  name: string,
): string {
  const begins = stretches[index];
  if (begins === undefined) return "nothing";
  const whole = `${stretchInWords(begins, every, true)}: ${money(costs[index] ?? 0)}, ${count(calls[index] ?? 0)} calls`;
  return picked === null ? whole : `${whole}; ${name} ${money(picked.costs[index] ?? 0)}`;
}

/** Which bars are marked below, evenly and never too many. */
function marked(length: number): number[] {
  const step = Math.max(1, Math.ceil(length / MARKS));
  return Array.from({ length }, (_, index) => index).filter((index) => (length - 1 - index) % step === 0);
}

function up(tick: number, top: number): string {
  return `${100 - (100 * tick) / top}%`;
}

/** The same for those who read rather than look. */
function AsTable({ series, every, picked, pickedName }: Props) {
  return (
    <details className={style.asTable}>
      <summary>The bars as a table</summary>
      <table>
        <thead>
          <tr>
            <th>{every === "hour" ? "Hour" : every === "day" ? "Day" : "Month"}</th>
            <th>Cost</th>
            <th>Calls</th>
            {picked !== null && <th>{pickedName}</th>}
          </tr>
        </thead>
        <tbody>
          {series.stretches.map((stretch, index) => (
            <tr key={stretch}>
              <th scope="row">{stretchInWords(stretch, every, true)}</th>
              <td>{money(series.costs[index] ?? 0)}</td>
              <td>{count(series.calls[index] ?? 0)}</td>
              {picked !== null && <td>{money(picked.costs[index] ?? 0)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

/** A group's cost over time beside its figures: its shape, against its own largest. */
export function Spark({ costs }: { readonly costs: readonly number[] }) {
  const top = Math.max(...costs, 1);
  const width = 100 / Math.max(1, costs.length);
  return (
    <svg className={style.spark} width="100%" height="18" aria-hidden="true" focusable="false">
      {costs.map((cost, index) => (
        <Bar key={index} x={index} width={width} gap={0.15} part={cost / top} dim={false} />
      ))}
    </svg>
  );
}
