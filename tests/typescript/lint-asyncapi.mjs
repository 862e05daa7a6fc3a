// Reads an AsyncAPI document with the reference parser and fails on whatever it has to say.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const one of diagnostics) console.error(`${one.code} at /${one.path.join("/")}: ${one.message}`);
if (!document || diagnostics.length > 0) process.exit(1);
console.log(`${process.argv[2]}: valid, ${document.allMessages().all().length} messages`);
