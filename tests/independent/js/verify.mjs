// Verifies a webhook by the specification's own library for JavaScript: the secret, the headers and the body
// come as one JSON object on standard input. Prints "genuine" or why not.
import { Webhook } from "standardwebhooks";

let text = "";
for await (const piece of process.stdin) text += piece;
const given = JSON.parse(text);
try {
  new Webhook(given.secret).verify(given.body, given.headers);
  console.log("genuine");
} catch (error) {
  console.log(error.message);
  process.exit(1);
}
