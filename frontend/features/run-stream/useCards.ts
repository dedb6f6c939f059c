"use client";

import { useRef } from "react";
import type { CardModel } from "@/components/agents/card";
import type { RunState } from "@/lib/reduce";
import type { RunDetail } from "@/lib/run";
import { cardsOf } from "./cards";

const nobody: RunDetail["queue"] = [];

/** The cards of a run, each the same object for as long as it shows the same. */
export function useCards(run: RunState, queue: RunDetail["queue"] = nobody): readonly CardModel[] {
  const before = useRef<readonly CardModel[]>([]);
  before.current = cardsOf(run, queue, before.current);
  return before.current;
}
