/** Why an action did not work, beside the button that was pressed. */
import { isProblem } from "../api/problems";
import { Icon } from "./Icon";
import style from "./Fault.module.css";

export function Fault({ fault }: { readonly fault: Error | null }) {
  if (fault === null) return null;
  return (
    <div className={`${style.fault} tone-fail`} role="alert">
      <Icon name="warn" size={13} />
      <div>
        {isProblem(fault) ? fault.facts.detail : fault.message}
        {isProblem(fault) &&
          fault.facts.fields.map((field) => (
            <div key={field.place}>
              {field.place}: {field.message}
            </div>
          ))}
      </div>
    </div>
  );
}
