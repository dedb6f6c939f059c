"use client";

import { useEffect, useRef, useState } from "react";
import type { CardModel } from "@/components/agents/card";
import { numberOf } from "@/lib/agents";
import { describe } from "@/lib/state";

type Props = { cards: readonly CardModel[]; caughtUp: boolean };

/** Tells screen readers of changes of state, politely, and never of tokens. */
export const Announcer = ({ cards, caughtUp }: Props) => {
  const [said, setSaid] = useState("");
  const words = cards.map((c) => describe(c.summary?.state ?? "queued").word).join("|");
  const before = useRef(words);
  useEffect(() => {
    const old = before.current.split("|");
    before.current = words;
    if (!caughtUp) return;
    const news = words
      .split("|")
      .flatMap((word, i) => (word === old[i] ? [] : [`Variation ${numberOf(i)}: ${word}.`]));
    if (news.length > 0) setSaid(news.join(" "));
  }, [words, caughtUp]);
  return (
    <p aria-live="polite" className="sr-only">
      {said}
    </p>
  );
};
