import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { growingBlocks } from "./blocks";

const paragraphs = (text: string) => text.match(/[\s\S]+?(\n\n+|$)/g) ?? [];

describe("growingBlocks", () => {
  it("cuts growing text as the whole would be cut", () => {
    const piece = fc.constantFrom("a", " b", "\n", "\n\n", "# c", "- d\n");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const cut = growingBlocks(paragraphs);
        let text = "";
        for (const more of pieces) {
          text += more;
          expect(cut(text).join("")).toBe(text);
        }
        expect(cut(text)).toEqual(paragraphs(text));
      }),
    );
  });

  it("starts over when the text is another one", () => {
    const cut = growingBlocks(paragraphs);
    cut("a\n\nb\n\nc\n\nd");
    expect(cut("x\n\ny")).toEqual(["x\n\n", "y"]);
  });

  it("looks only at the end of what has grown", () => {
    const seen: string[] = [];
    const cut = growingBlocks((text) => {
      seen.push(text);
      return paragraphs(text);
    });
    cut("a\n\nb\n\nc\n\nd");
    cut("a\n\nb\n\nc\n\nd e");
    expect(seen.at(-1)).toBe("c\n\nd e");
  });
});
