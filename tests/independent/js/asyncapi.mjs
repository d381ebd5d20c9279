// Reads an AsyncAPI document from standard input with the AsyncAPI initiative's own parser. Prints as JSON what
// it finds wrong (errors and warnings), and the version, channels and messages that it read.
import { Parser } from "@asyncapi/parser";

let text = "";
for await (const piece of process.stdin) text += piece;
const { document, diagnostics } = await new Parser().parse(text);
console.log(
  JSON.stringify({
    wrong: diagnostics.filter((one) => one.severity <= 1).map((one) => `${one.path.join("/")}: ${one.message}`),
    version: document?.version(),
    channels: document?.channels().all().map((one) => one.address()),
    messages: document?.allMessages().all().map((one) => one.name()),
  }),
);
