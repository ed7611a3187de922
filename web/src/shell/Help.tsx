/** What can be pressed here and now, read from the bindings themselves. */
import { Dialog } from "../ui/Dialog";
import { Key } from "../ui/Empty";
import style from "./Help.module.css";
import { type Binding, useListing } from "./keys";

export default function Help({ close }: { readonly close: () => void }) {
  return (
    <Dialog close={close} title="Keyboard" size={640}>
      <div className={style.groups}>
        {grouped(useListing()).map(([name, lines]) => (
          <section key={name}>
            <h3 className={style.name}>{name}</h3>
            <dl>
              {[...lines].map(([words, keys]) => (
                <div key={words} className={style.line}>
                  <dt>{words}</dt>
                  <dd>
                    {keys.flatMap(written).map((key, at) => (
                      <Key key={at}>{key}</Key>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

/** By place, the page's own first; what has two keys stands in one line. */
function grouped(bindings: readonly Binding[]): [string, Map<string, string[]>][] {
  const groups = new Map<string, Map<string, string[]>>();
  for (const binding of bindings) {
    const lines = groups.get(binding.group) ?? new Map<string, string[]>();
    groups.set(binding.group, lines);
    const keys = lines.get(binding.words) ?? [];
    lines.set(binding.words, keys.includes(binding.keys) ? keys : [...keys, binding.keys]);
  }
  return [...groups].sort(([a], [b]) => Number(a === "Everywhere") - Number(b === "Everywhere"));
}

const NAMES: Readonly<Record<string, string>> = {
  "mod+k": "⌘K",
  ArrowDown: "↓",
  ArrowUp: "↑",
  ArrowLeft: "←",
  ArrowRight: "→",
};

function written(keys: string): string[] {
  return keys.split(" ").map((key) => NAMES[key] ?? key);
}
