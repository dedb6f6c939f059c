"use client";

import { ChevronRight } from "lucide-react";
import { Collapsible } from "radix-ui";
import { type ReactNode, useState } from "react";
import { cn } from "@/lib/cn";

type Props = {
  summary: ReactNode;
  /** Whether it is open until the person says otherwise. */
  open?: boolean;
  className?: string;
  children: ReactNode;
};

/** One compact row that opens to what is behind it. */
export const Fold = ({ summary, open = false, className, children }: Props) => {
  const [chosen, setChosen] = useState<boolean>();
  return (
    <Collapsible.Root open={chosen ?? open} onOpenChange={setChosen} className={className}>
      <Collapsible.Trigger className="group flex w-full min-w-0 items-center gap-1.5 rounded px-1 py-0.5 text-left text-caption text-ink-soft hover:bg-raised hover:text-ink">
        <ChevronRight
          aria-hidden
          className={cn("size-3.5 shrink-0 transition-transform group-data-[state=open]:rotate-90")}
        />
        {summary}
      </Collapsible.Trigger>
      <Collapsible.Content className="mt-1 ml-2.5 border-l pl-3">{children}</Collapsible.Content>
    </Collapsible.Root>
  );
};
