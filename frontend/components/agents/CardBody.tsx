"use client";

import { ArrowDown } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { Button } from "@/components/ui/button";
import { useFollow } from "@/hooks/useFollow";

type Props = { label: string; live: boolean; children: ReactNode };

/** The scrolling part of a card: follows the newest line until the person scrolls up. */
export const CardBody = ({ label, live, children }: Props) => {
  const box = useRef<HTMLElement>(null);
  const { following, jump } = useFollow(box, live);
  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={box}
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by key
        tabIndex={0}
        className="absolute inset-0 overflow-y-auto overscroll-contain px-3.5 py-3"
      >
        <div className="flex flex-col gap-2">{children}</div>
      </section>
      {live && !following && (
        <Button
          size="sm"
          onClick={jump}
          className="-translate-x-1/2 absolute bottom-2 left-1/2 rounded-full shadow-md"
        >
          <ArrowDown aria-hidden />
          Jump to live
        </Button>
      )}
    </div>
  );
};
