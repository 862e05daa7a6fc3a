// The line protocol of `deskwire conform`: what the client is asked to do, and what it reports.
import { createInterface } from "node:readline";

export interface Instruction {
  do: string;
  conversation_id?: string;
  text?: string;
  seq?: number;
}

export function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

export function report(event: string, data: object): void {
  process.stdout.write(`${JSON.stringify({ event, ...data })}\n`);
}

export function instructions(take: (instruction: Instruction) => void): void {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => take(JSON.parse(line) as Instruction));
  lines.on("close", () => process.exit());
}
