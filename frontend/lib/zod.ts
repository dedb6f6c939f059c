/** zod without generated code: the edge's content security policy allows no `eval`. */
import { z } from "zod";

z.config({ jitless: true });

export { z };
