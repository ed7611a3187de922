/** What can be pressed here and now, read from the bindings themselves. */
import { Modal } from "@mantine/core";
import { Key } from "../ui/Empty";
import style from "./Help.module.css";
import { type Binding, useListing } from "./keys";

export default function Help({ close }: { readonly close: () => void }) {
  const groups = new Map<string, Binding[]>();
  for (const binding of useListing()) {
    const group = groups.get(binding.group) ?? [];
    if (!group.some((other) => other.words === binding.words && other.keys === binding.keys)) group.push(binding);
    groups.set(binding.group, group);
  }
  return (
    <Modal opened onClose={close} title="Keyboard" size={620} closeButtonProps={{ "aria-label": "Close" }}>
      <div className={style.groups}>
        {[...groups].reverse().map(([name, bindings]) => (
          <section key={name}>
            <h3 className={style.name}>{name}</h3>
            <dl>
              {bindings.map((binding) => (
                <div key={binding.keys} className={style.line}>
                  <dt>{binding.words}</dt>
                  <dd>
                    {written(binding.keys).map((key) => (
                      <Key key={key}>{key}</Key>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Modal>
  );
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
