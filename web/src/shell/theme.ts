/** How Mantine's components look here: small, square, ink on paper. Colours and sizes themselves stand in `styles/`.
 *
 * Components are named and not imported: most are wanted only by a dialog, and come with it.
 */
import { createTheme } from "@mantine/core";
import style from "./theme.module.css";

const field = {
  size: "xs",
  classNames: { input: style.input, label: style.label, description: style.hint, error: style.error },
};

// Locking the page's scroll writes an inline style sheet, which our policy forbids; the page itself never scrolls.
const dialog = {
  lockScroll: false,
  centered: false,
  yOffset: "12vh",
  transitionProps: { duration: 90, transition: "fade" },
  classNames: { content: style.dialog, title: style.dialogTitle },
};

export const theme = createTheme({
  fontFamily: "var(--qd-font)",
  fontFamilyMonospace: "var(--qd-mono)",
  defaultRadius: 6,
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: "xs", variant: "default", classNames: { root: style.button } } },
    ActionIcon: { defaultProps: { variant: "subtle", color: "gray", size: 28 } },
    TextInput: { defaultProps: field },
    PasswordInput: { defaultProps: field },
    Textarea: { defaultProps: field },
    Autocomplete: { defaultProps: field },
    Select: { defaultProps: field },
    Menu: {
      defaultProps: { position: "bottom-end", classNames: { dropdown: style.dropdown, item: style.item } },
    },
    ModalRoot: { defaultProps: dialog },
  },
});
