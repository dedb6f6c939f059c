// node viewers.mjs DOOR VIEWERS RUN,RUN…: says on a line each what each EventSource receives, until all have stopped.
import { EventSource } from "eventsource";

const [door, size, list] = process.argv.slice(2);
const runs = list.split(",");

for (let viewer = 0; viewer < Number(size); viewer += 1) {
  const run = runs[viewer % runs.length];
  const say = (what) => process.stdout.write(`${JSON.stringify({ viewer, run, ...what })}\n`);
  const source = new EventSource(`${door}/api/v1/runs/${run}/stream`);
  source.onopen = () => say({ event: "open" });
  for (const event of ["message", "gap", "end"]) {
    source.addEventListener(event, ({ data }) => say({ event, data }));
  }
  source.onerror = ({ code }) => {
    if (source.readyState === EventSource.CLOSED) say({ event: "closed", status: code ?? 0 });
  };
}
