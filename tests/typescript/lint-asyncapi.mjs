// Reads an AsyncAPI document with the reference parser and fails on anything that is more than advice.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
// 0 error, 1 warning, 2 information, 3 hint.
const faults = diagnostics.filter((one) => one.severity <= 1);
for (const one of faults) console.error(`${one.code} at /${one.path.join("/")}: ${one.message}`);
if (!document || faults.length > 0) process.exit(1);
console.log(`${process.argv[2]}: valid, ${document.allMessages().all().length} messages`);
