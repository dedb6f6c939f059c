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
    <div className="relative flex min-h-0 flex-1 flex-col">
      <section
        ref={box}
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by key
        tabIndex={0}
        className="contain-content max-h-[70dvh] min-h-0 overflow-y-auto px-3.5 py-3 md:absolute md:inset-0 md:max-h-none md:overscroll-contain"
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
