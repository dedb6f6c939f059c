/**
 * Cuts markdown that only grows into blocks, again and again, at the price of its end only: all but
 * the last two blocks of the text before stay, because what comes later can still join those two.
 */
import { parseMarkdownIntoBlocks } from "streamdown";

const open = 2;

export function growingBlocks(
  cut: (text: string) => string[] = parseMarkdownIntoBlocks,
): (text: string) => string[] {
  let before = "";
  let blocks: string[] = [];
  return (text) => {
    if (text === before) return blocks;
    const kept = text.startsWith(before) ? blocks.slice(0, -open) : [];
    const length = kept.reduce((sum, block) => sum + block.length, 0);
    blocks = [...kept, ...cut(text.slice(length))];
    before = text;
    return blocks;
  };
}
