/** Any JSON value, as text a person can read. */
export const Value = ({ value }: { value: unknown }) => (
  <pre className="max-h-72 overflow-auto whitespace-pre-wrap break-words rounded bg-raised p-2 font-mono text-caption leading-[1.5]">
    {typeof value === "string" ? value : JSON.stringify(value, null, 2)}
  </pre>
);
