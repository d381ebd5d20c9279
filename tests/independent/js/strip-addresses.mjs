// Locks here hold digests and no addresses; npm writes where to send money for each package.
import fs from "node:fs";

const lock = JSON.parse(fs.readFileSync("package-lock.json"));
for (const one of Object.values(lock.packages)) delete one.funding;
fs.writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n");
