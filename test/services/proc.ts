/**
 * Runs a server program for as long as a test run lasts, and never longer.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"

/** The user a server runs as when this process is root. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

export interface Program {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** The program's working folder; removed once it was stopped. */
  readonly folder: string
  /** Whether the folder stays when the program does not become ready; default `false`. */
  readonly keep?: boolean | undefined
  /** What it prints, on either output, when it accepts connections. */
  readonly ready: RegExp
  readonly owner?: Owner | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  /** Asks it to end; default `SIGTERM`. */
  readonly signal?: NodeJS.Signals | undefined
  /** How long it may take to become ready, in milliseconds; default 60,000. */
  readonly timeout?: number | undefined
}

export interface Running {
  readonly child: ChildProcess
  readonly log: () => string
  /** Asks it to end, waits for that, and removes its folder. */
  readonly stop: () => Promise<void>
  /** Ends it with `SIGKILL`, as a crash would, and leaves its folder. */
  readonly kill: () => Promise<void>
}

/** A port the kernel has just called free. Another process may take it before it is used: the caller tries again. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = net.createServer().once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })

/** The first folder on `PATH`, or of the folders only root's `PATH` has, that holds the program. */
export const which = (name: string): string | undefined =>
  [...(process.env["PATH"] ?? "").split(path.delimiter), "/usr/sbin", "/usr/local/sbin", "/sbin"]
    .map((folder) => path.join(folder, process.platform === "win32" ? `${name}.exe` : name))
    .find((file) => fs.existsSync(file))

/** Who runs a server that refuses root: `nobody` is on every Unix, so that no user has to be made. */
export const unprivileged = (): Owner | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const entry = fs
    .readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name]) => name === "nobody")
  return entry === undefined ? undefined : { uid: Number(entry[2]), gid: Number(entry[3]) }
}

const openToAll = (folder: string): boolean =>
  (fs.statSync(folder).mode & 0o001) !== 0 && (folder === path.dirname(folder) || openToAll(path.dirname(folder)))

/** A new empty folder that its owner can reach, even when this process keeps its temporary files in a private place. */
export const temporaryFolder = (prefix: string, owner?: Owner): string => {
  const here = fs.realpathSync(os.tmpdir())
  const parent = owner === undefined || openToAll(here) ? here : "/tmp"
  const folder = fs.mkdtempSync(path.join(parent, `effect-cqrs-${prefix}-`))
  if (owner !== undefined) fs.chownSync(folder, owner.uid, owner.gid)
  return folder
}

/** How to run a program that the kernel ends with this process, however this process ends. Linux only. */
const tied = (program: Program, signal: NodeJS.Signals): ReadonlyArray<string> | undefined => {
  const setpriv = which("setpriv")
  const deathSignal = ["--pdeathsig", signal.replace("SIG", "")]
  // BusyBox has a setpriv that does not know the option.
  if (setpriv === undefined || spawnSync(setpriv, [...deathSignal, "true"]).status !== 0) return undefined
  const owner = program.owner
  const user = owner === undefined ? [] : [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"]
  return [setpriv, ...user, ...deathSignal, "--", program.command, ...program.args]
}

/** Starts a program and waits until it says that it is ready; one that is not, or ends first, rejects with its log. */
export const start = async (program: Program): Promise<Running> => {
  const signal = program.signal ?? "SIGTERM"
  const line = tied(program, signal)
  const [command = "", ...args] = line ?? [program.command, ...program.args]
  const child = spawn(command, args, {
    cwd: program.folder,
    env: program.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    ...(line === undefined ? program.owner : undefined)
  })

  let log = ""
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message))
    child.once("exit", (code, killedBy) => resolve(`it ended with ${code ?? killedBy}`))
  })
  const ask = () => child.kill(signal)
  process.once("exit", ask)

  const end = async () => {
    process.off("exit", ask)
    ask()
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000)
    await ended
    clearTimeout(late)
  }
  const stop = async () => {
    await end()
    fs.rmSync(program.folder, { recursive: true, force: true })
  }
  const kill = async () => {
    process.off("exit", ask)
    child.kill("SIGKILL")
    await ended
  }

  const ready = new Promise<undefined>((resolve) => {
    const listen = (chunk: Buffer) => {
      if (log.length < 1_000_000) log += chunk.toString()
      if (program.ready.test(log)) resolve(undefined)
    }
    child.stdout.on("data", listen)
    child.stderr.on("data", listen)
  })
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve("it was not ready in time"), program.timeout ?? 60_000)
  })

  const failure = await Promise.race([ready, ended, timeout])
  clearTimeout(timer)
  if (failure === undefined) return { child, log: () => log, stop, kill }
  await (program.keep === true ? end() : stop())
  throw new Error(`${program.command}: ${failure}\n${log.slice(-2000)}`)
}
