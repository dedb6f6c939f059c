"use client";

import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { Button } from "./button";

type Props = {
  title: string;
  description?: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  children: ReactNode;
};

export const Dialog = ({ title, description, open, onOpenChange, children }: Props) => (
  <Radix.Root open={open} onOpenChange={onOpenChange}>
    <Radix.Portal>
      <Radix.Overlay className="fixed inset-0 z-40 bg-black/50" />
      <Radix.Content
        {...(description ? {} : { "aria-describedby": undefined })}
        className="-translate-x-1/2 -translate-y-1/2 fixed top-1/2 left-1/2 z-50 flex max-h-[85dvh] w-[min(28rem,calc(100vw-2rem))] flex-col gap-4 overflow-auto rounded-xl border bg-card p-5 shadow-xl"
      >
        <div className="flex items-start justify-between gap-3">
          <div>
            <Radix.Title className="font-semibold text-body">{title}</Radix.Title>
            {description && (
              <Radix.Description className="mt-1 text-ink-soft">{description}</Radix.Description>
            )}
          </div>
          <Radix.Close asChild>
            <Button look="ghost" size="icon" aria-label="Close">
              <X />
            </Button>
          </Radix.Close>
        </div>
        {children}
      </Radix.Content>
    </Radix.Portal>
  </Radix.Root>
);
