/** Our own few line icons: shape carries the meaning together with the word beside it. */

const PATHS = {
  runs: "M2.5 4.5h2M7 4.5h6.5M2.5 8h2M7 8h6.5M2.5 11.5h2M7 11.5h4",
  agents:
    "M8 1.8v2M4 6.5a2.5 2.5 0 0 1 2.5-2.5h3a2.5 2.5 0 0 1 2.5 2.5v3a2.5 2.5 0 0 1-2.5 2.5h-3a2.5 2.5 0 0 1-2.5-2.5zM6.5 7.5v1M9.5 7.5v1M1.8 7v2M14.2 7v2M6 14.5h4",
  keys: "M9.7 6.3a3.2 3.2 0 1 0-3.4 3.2l1.2-.2 1-1 .2-1.3M8.3 8.4l5.2 5.2M11.2 11.3l1.4-1.4",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3l3.2 3.2",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  moon: "M13.3 9.6A5.7 5.7 0 0 1 6.4 2.7a5.7 5.7 0 1 0 6.9 6.9z",
  copy: "M6 5.5h6.5v8H6zM3.5 10.5v-8H10",
  link: "M7 9a2.6 2.6 0 0 0 3.8.2l2-2a2.7 2.7 0 0 0-3.8-3.8l-.9.9M9 7a2.6 2.6 0 0 0-3.8-.2l-2 2a2.7 2.7 0 0 0 3.8 3.8l.9-.9",
  check: "M3 8.5l3.2 3.2L13 4.8",
  cross: "M4 4l8 8M12 4l-8 8",
  chevron: "M6 3.5L10.5 8 6 12.5",
  down: "M3.5 6L8 10.5 12.5 6",
  back: "M9.5 3.5L5 8l4.5 4.5",
  retry: "M13 8a5 5 0 1 1-1.7-3.75M13.3 2v3h-3",
  stop: "M4.5 4.5h7v7h-7z",
  out: "M9.5 2.5h-6v11h6M6.5 8h7M11 5.2L13.8 8 11 10.8",
  help: "M8 14a6 6 0 1 0 0-12 6 6 0 0 0 0 12zM6.3 6.2A1.8 1.8 0 0 1 9.8 6.7c0 1.2-1.8 1.5-1.8 2.6M8 11.2v.1",
  filter: "M2.5 3.5h11L9.5 8.3v4.2l-3 1V8.3z",
  group: "M2.5 3.5h11M5 8h8.5M5 12.5h8.5M2.5 3.5v9",
  warn: "M8 2.3l6 10.9H2zM8 6.5v3M8 11.3v.1",
  model: "M8 2v12M2.8 5l10.4 6M2.8 11L13.2 5",
  tool: "M10.5 2.6a3.3 3.3 0 0 0-3.6 4.5l-4.2 4.2a1.2 1.2 0 0 0 0 1.6l.4.4a1.2 1.2 0 0 0 1.6 0l4.2-4.2a3.3 3.3 0 0 0 4.5-3.6L11.5 7.4 9.2 6.8 8.6 4.5z",
  queue: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.8V8l2.3 1.5",
  wait: "M4 2.5h8M4 13.5h8M5 2.5v2.2L8 8l3-3.3V2.5M5 13.5v-2.2L8 8l3 3.3v2.2",
  attempt: "M3 8a5 5 0 0 1 8.6-3.5L13 6M13 3v3h-3M13 8a5 5 0 0 1-8.6 3.5L3 10M3 13v-3h3",
  policy: "M8 1.8l5 1.9v3.8c0 3.2-2.1 5.5-5 6.7-2.9-1.2-5-3.5-5-6.7V3.7z",
  message: "M2.5 3h11v8h-6L4.5 13.5V11h-2z",
  approval: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM5.4 8.2l1.9 1.9 3.4-3.9",
  hand: "M5 8.5V3.9a1 1 0 0 1 2 0V7.5M7 7.3V2.8a1 1 0 0 1 2 0v4.5M9 7.5V3.6a1 1 0 0 1 2 0v4.6M11 8.2V5.8a1 1 0 0 1 2 0v4.4a4 4 0 0 1-4 4H8.2c-1.5 0-2.6-.6-3.4-1.9L2.9 9.2a.9.9 0 0 1 1.5-1L5 9",
  audit: "M4 1.8h5.5L12.5 5v9.2H4zM9.3 1.9v3.3h3.2M6 8h4.5M6 10.5h4.5",
  edit: "M3 13l.6-2.8 7.2-7.2a1.3 1.3 0 0 1 1.9 0l.3.3a1.3 1.3 0 0 1 0 1.9l-7.2 7.2z",
  budget:
    "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM9.9 6.1C9.6 5.3 8.9 5 8 5c-1.1 0-1.9.5-1.9 1.4 0 2.1 3.9 1.1 3.9 3.2 0 .9-.9 1.4-2 1.4-.9 0-1.7-.4-2-1.2M8 4v1M8 11v1",
  usage: "M2.5 13.5h11M4.5 11V8.5M8 11V3M11.5 11V6",
  bell: "M8 2.2a3.8 3.8 0 0 0-3.8 3.8c0 3.5-1.4 4.5-1.4 5.2h10.4c0-.7-1.4-1.7-1.4-5.2A3.8 3.8 0 0 0 8 2.2zM6.5 13.2a1.6 1.6 0 0 0 3 0",
  shield: "M8 1.8l5 1.9v3.8c0 3.2-2.1 5.5-5 6.7-2.9-1.2-5-3.5-5-6.7V3.7zM5.7 7.9l1.7 1.7 3-3.2",
  download: "M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10",
  sort: "M5 3v10M2.8 10.8L5 13l2.2-2.2M9 4h4.5M9 7.5h3M9 11h1.5",
  alarm: "M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5zM8 5v3.5M8 10.8v.1",
  plus: "M8 3.5v9M3.5 8h9",
  checkpoint: "M8 2.5L13.5 8 8 13.5 2.5 8z",
  run: "M4.5 3l8 5-8 5z",
  person: "M8 7.5a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4zM2.8 14c.4-2.8 2.5-4.3 5.2-4.3s4.8 1.5 5.2 4.3",
  brand: "M1.5 13.8h13M3 11.2a8 8 0 0 1 8-8M11 3.2v8M6.8 11.2A4.2 4.2 0 0 1 11 7",
} as const;

export type IconName = keyof typeof PATHS;

interface Props {
  readonly name: IconName;
  readonly size?: number;
  readonly className?: string | undefined;
}

export function Icon({ name, size = 14, className }: Props) {
  return (
    <svg
      className={className}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.4}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
