/** A dialog over the page: named by its title, closed by Escape, the cross or a click beside it. */
import "@mantine/core/styles/Paper.layer.css";
import "@mantine/core/styles/Overlay.layer.css";
import "@mantine/core/styles/ModalBase.layer.css";
import "@mantine/core/styles/Modal.layer.css";
import { Modal } from "@mantine/core";
import type { ReactNode } from "react";
import style from "./Dialog.module.css";

interface Props {
  readonly title: string;
  readonly size: number;
  readonly close: () => void;
  /** Off where a slip of the mouse would lose something that can't be had again. */
  readonly closeBeside?: boolean;
  readonly children: ReactNode;
}

export function Dialog({ title, size, close, closeBeside = true, children }: Props) {
  return (
    <Modal.Root opened onClose={close} size={size} closeOnClickOutside={closeBeside}>
      <Modal.Overlay backgroundOpacity={0.32} />
      <Modal.Content>
        {/* Not the library's own head: its <header> would be a second banner of the page to a screen reader. */}
        <div className={style.head}>
          <Modal.Title>{title}</Modal.Title>
          <Modal.CloseButton aria-label="Close" />
        </div>
        <Modal.Body>{children}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
