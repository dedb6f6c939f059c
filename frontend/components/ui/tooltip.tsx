"use client";

import { Tooltip as Radix } from "radix-ui";
import type { ReactNode } from "react";

export const TooltipProvider = Radix.Provider;

/** What a control does, and the key that does it. */
export const Tooltip = ({
  text,
  keys,
  children,
}: {
  text: string;
  keys?: string;
  children: ReactNode;
}) => (
  <Radix.Root>
    <Radix.Trigger asChild>{children}</Radix.Trigger>
    <Radix.Portal>
      <Radix.Content
        sideOffset={6}
        collisionPadding={8}
        className="z-50 flex max-w-72 items-center gap-2 rounded-md bg-charcoal px-2.5 py-1.5 text-caption text-white shadow-lg"
      >
        {text}
        {keys && <kbd className="rounded border border-white/30 px-1 font-mono">{keys}</kbd>}
      </Radix.Content>
    </Radix.Portal>
  </Radix.Root>
);
