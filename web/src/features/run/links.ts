/** This page, with a span in its address. */
export function linkTo(span: string | null): string {
  const url = new URL(location.href);
  if (span !== null) url.searchParams.set("span", span);
  return url.href;
}
