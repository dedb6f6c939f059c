"use client";

import { useEffect } from "react";

/** 1–5 give a card the room, G (or Escape) returns to the grid; never while somebody types. */
export function useFocusKeys(count: number, focus: (index: number | undefined) => void) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const at = event.target;
      if (
        at instanceof Element &&
        at.closest("input, textarea, select, [role=dialog], [role=menu]")
      )
        return;
      const index = Number(event.key) - 1;
      if (Number.isInteger(index) && index >= 0 && index < count) focus(index);
      if (event.key === "g" || event.key === "G" || event.key === "Escape") focus(undefined);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [count, focus]);
}
