"use client";

import { useEffect, useState } from "react";

/** What a slow machine draws in a frame, by far. */
const stepChars = 5000;

/** A text that has grown by a lot at once (a replay) is drawn in steps, one a frame. */
export function useGradual(text: string): string {
  const [drawn, setDrawn] = useState(0);
  const upTo = Math.min(text.length, drawn + stepChars);
  useEffect(() => {
    const frame = requestAnimationFrame(() => setDrawn(upTo));
    return () => cancelAnimationFrame(frame);
  }, [upTo]);
  return upTo === text.length ? text : text.slice(0, upTo);
}
