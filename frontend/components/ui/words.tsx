/** A sentence of ours, in which `code` stands between backticks. */
export const Words = ({ text }: { text: string }) =>
  text.split("`").map((piece, i) =>
    i % 2 === 0 ? (
      piece
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a sentence keep their places
      <code key={i} className="font-mono text-ink">
        {piece}
      </code>
    ),
  );
