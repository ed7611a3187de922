/** How Mantine's components look here: small, square, ink on paper. Colours and sizes themselves stand in `styles/`. */
import {
  ActionIcon,
  Button,
  createTheme,
  Menu,
  Modal,
  ModalRoot,
  PasswordInput,
  Select,
  Textarea,
  TextInput,
  Tooltip,
} from "@mantine/core";
import style from "./theme.module.css";

const field = {
  size: "xs",
  classNames: { input: style.input ?? "", label: style.label ?? "", description: style.hint ?? "" },
} as const;

// Locking the page's scroll writes an inline style sheet, which our policy forbids; the page itself never scrolls.
const dialog = {
  lockScroll: false,
  centered: false,
  yOffset: "12vh",
  transitionProps: { duration: 90, transition: "fade" },
  classNames: { content: style.dialog ?? "", title: style.dialogTitle ?? "" },
} as const;

export const theme = createTheme({
  fontFamily: "var(--qd-font)",
  fontFamilyMonospace: "var(--qd-mono)",
  defaultRadius: 6,
  respectReducedMotion: true,
  components: {
    Button: Button.extend({
      defaultProps: { size: "xs", variant: "default", classNames: { root: style.button ?? "" } },
    }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: "subtle", color: "gray", size: 28 } }),
    TextInput: TextInput.extend({ defaultProps: field }),
    PasswordInput: PasswordInput.extend({ defaultProps: field }),
    Textarea: Textarea.extend({ defaultProps: field }),
    Select: Select.extend({ defaultProps: field }),
    Tooltip: Tooltip.extend({
      defaultProps: { openDelay: 350, withArrow: false, classNames: { tooltip: style.tooltip ?? "" } },
    }),
    Menu: Menu.extend({
      defaultProps: {
        shadow: "md",
        position: "bottom-end",
        classNames: { dropdown: style.dropdown ?? "", item: style.item ?? "" },
      },
    }),
    Modal: Modal.extend({ defaultProps: dialog }),
    ModalRoot: ModalRoot.extend({ defaultProps: dialog }),
  },
});
