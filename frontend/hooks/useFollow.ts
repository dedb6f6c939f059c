"use client";

import { type RefObject, useCallback, useEffect, useRef, useState } from "react";

/** How near the end counts as being at the end. */
const nearPx = 32;

/**
 * Keeps a scrolling box at its newest line while `live`, until the person scrolls up; then it
 * stays where they read, and `jump` goes back to following. A past run starts at its top.
 */
export function useFollow(box: RefObject<HTMLElement | null>, live: boolean) {
  const [following, setFollowing] = useState(live);
  const follows = useRef(live);
  const lastTop = useRef(0);

  const set = useCallback((value: boolean) => {
    follows.current = value;
    setFollowing(value);
  }, []);

  const jump = useCallback(() => {
    set(true);
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [box, set]);

  useEffect(() => {
    if (live) jump();
  }, [live, jump]);

  useEffect(() => {
    const element = box.current;
    const content = element?.firstElementChild;
    if (!element || !content) return;
    const distance = () => element.scrollHeight - element.scrollTop - element.clientHeight;
    const onScroll = () => {
      const up = element.scrollTop < lastTop.current - 1;
      lastTop.current = element.scrollTop;
      if (distance() <= nearPx) set(true);
      else if (up) set(false);
    };
    const grown = new ResizeObserver(() => {
      if (follows.current && live) element.scrollTop = element.scrollHeight;
    });
    element.addEventListener("scroll", onScroll, { passive: true });
    grown.observe(content);
    grown.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      grown.disconnect();
    };
  }, [box, live, set]);

  return { following, jump };
}
