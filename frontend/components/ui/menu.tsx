"use client";

import { DropdownMenu as Radix } from "radix-ui";
import type { ReactNode } from "react";

/** A button that opens a list of things to choose from. */
export const Menu = ({ trigger, children }: { trigger: ReactNode; children: ReactNode }) => (
  <Radix.Root modal={false}>
    <Radix.Trigger asChild>{trigger}</Radix.Trigger>
    <Radix.Portal>
      <Radix.Content
        align="end"
        sideOffset={6}
        collisionPadding={8}
        className="z-50 max-h-80 min-w-44 max-w-[calc(100vw-1rem)] overflow-auto rounded-lg border bg-card p-1 shadow-lg"
      >
        {children}
      </Radix.Content>
    </Radix.Portal>
  </Radix.Root>
);

export const MenuItem = ({ onSelect, children }: { onSelect: () => void; children: ReactNode }) => (
  <Radix.Item
    onSelect={onSelect}
    className="flex cursor-pointer items-center gap-2 rounded-md px-2 py-1.5 text-small outline-none data-highlighted:bg-raised [&_svg]:size-4 [&_svg]:text-ink-soft"
  >
    {children}
  </Radix.Item>
);
