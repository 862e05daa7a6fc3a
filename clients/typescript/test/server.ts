// A real server as a process that is killed and started again, and a proxy that cuts connections to it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function listen(server: ReturnType<typeof createServer>, port = 0): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, "close");
  return port;
}

export class Server {
  private process: ChildProcess | undefined;
  private readonly folder = mkdtempSync(join(tmpdir(), "deskwire-client-"));
  password = "";

  private constructor(
    private readonly program: string,
    readonly port: number,
    private readonly settings: Record<string, string>,
  ) {}

  get base(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** A new server with an empty database; it ends with the test. */
  static async start(test: TestContext, program: string, settings: Record<string, string> = {}): Promise<Server> {
    const server = new Server(program, await freePort(), settings);
    test.after(() => server.stop());
    await server.run();
    return server;
  }

  private async run(): Promise<void> {
    const { DATABASE_URL: _, ...variables } = process.env;
    const env = { ...variables, ...this.settings, DESKWIRE_LISTEN: `127.0.0.1:${this.port}` };
    const child = spawn(this.program, ["serve"], { cwd: this.folder, env, stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    let log = "";
    child.stderr?.on("data", (bytes) => (log = `${log}${bytes}`.slice(-2_000)));
    child.stdout?.on("data", (bytes) => {
      this.password ||= / password (\S+)$/m.exec(String(bytes))?.[1] ?? "";
    });
    for (let tries = 0; tries < 600; tries++) {
      const ready = await fetch(`${this.base}/readyz`).catch(() => undefined);
      if (ready?.ok && this.password !== "") return;
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: ${log}`);
      await sleep(50);
    }
    throw new Error("the server does not become ready");
  }

  /** `kill -9`, and a start on the same port and the same file. */
  async killAndStart(): Promise<void> {
    await this.kill();
    await this.run();
  }

  private async kill(): Promise<void> {
    const child = this.process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  private async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A TCP proxy. */
export class Proxy {
  private readonly open = new Set<Socket>();
  private readonly server = createServer((near) => this.carry(near));
  private port = 0;
  private losing: "requests" | "answers" | undefined;
  cuts = 0;

  constructor(private readonly target: number) {}

  /** It ends with the test. */
  async start(test: TestContext): Promise<this> {
    test.after(() => this.stop());
    this.port = await listen(this.server);
    return this;
  }

  get base(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  private carry(near: Socket): void {
    const far = connect(this.target, "127.0.0.1");
    near.on("data", (bytes) => this.losing === "requests" || far.write(bytes));
    far.on("data", (bytes) => this.losing === "answers" || near.write(bytes));
    for (const [one, other] of [[near, far], [far, near]] as const) {
      this.open.add(one);
      one.on("error", () => undefined);
      one.on("close", () => {
        this.open.delete(one);
        other.destroy();
      });
    }
  }

  /** For a while nothing arrives at the server, or (every other time) nothing that it answers arrives; then `end`, and
   * all connections are reset. */
  async lose(milliseconds: number, end: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.cuts += this.open.size > 0 ? 1 : 0;
    this.losing = this.cuts % 2 === 1 ? "requests" : "answers";
    await sleep(milliseconds);
    await end();
    this.open.forEach((socket) => socket.resetAndDestroy());
    this.losing = undefined;
  }

  private stop(): void {
    this.server.close();
    this.open.forEach((socket) => socket.destroy());
  }
}
