"use client";

import { useEffect, useState } from "react";

/** Whether `holds` has held for `ms`: what is over sooner is not worth a word. */
export function useLater(holds: boolean, ms = 800): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!holds) return setLate(false);
    const timer = setTimeout(() => setLate(true), ms);
    return () => clearTimeout(timer);
  }, [holds, ms]);
  return holds && late;
}
