/**
 * Proves programs: one type check for all, and a run of each in one of a few processes.
 */
import { type ChildProcess, execFile, fork } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { root } from "../../scripts/tree.ts"
import type { Program } from "./program.ts"
import type { Answer, Task } from "./run.ts"

export interface Options {
  /** Gives a new database to a program that asks for `DATABASE_URL`. */
  readonly database: () => Promise<string>
  /** How long a program may take, in milliseconds; default 30,000. */
  readonly timeout?: number | undefined
}

/** The failures of each program, by name. */
export const verify = async (
  programs: ReadonlyArray<Program>,
  options: Options
): Promise<ReadonlyMap<string, ReadonlyArray<string>>> => {
  // Inside the repository, whose packages the programs import.
  const folder = fs.mkdtempSync(path.join(root, ".docs-test-"))
  const failures = new Map(programs.map(({ name, problems }) => [name, [...problems]]))
  const sound = programs.filter(({ problems, proof }) => problems.length === 0 && proof !== "no-check")
  const files = new Map(sound.map((program, index) => [path.join(folder, `${index}.ts`), program]))
  const blame = ({ name }: Program, message: string) => void failures.get(name)?.push(message)
  try {
    for (const [file, { code }] of files) fs.writeFileSync(file, code)
    const typed = typeCheck(folder, files).then((errors) => errors.forEach(([program, error]) => blame(program, error)))
    const queue = [...files].filter(([, { proof }]) => proof === "run")
    await Promise.all([typed, worker(queue, blame, options), worker(queue, blame, options)])
    return failures
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const typeCheck = (
  folder: string,
  files: ReadonlyMap<string, Program>
): Promise<ReadonlyArray<readonly [Program, string]>> => {
  if (files.size === 0) return Promise.resolve([])
  // A block may declare what only its reader uses.
  const config = { extends: "../tsconfig.json", compilerOptions: { noUnusedLocals: false }, include: ["*.ts"] }
  fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(config))
  const tsc = path.join(root, "node_modules/typescript/bin/tsc")
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder }, (error, output) => {
      // Errors in the sources are theirs, but a compiler that checked nothing must not look like one that found nothing.
      if (error !== null && !/\(\d+,\d+\): error/.test(output)) return reject(new Error(`${error.message}\n${output}`))
      // A message goes on in indented lines.
      const messages = output.split(/\n(?=\S)/)
      resolve(
        messages.flatMap((message) => {
          const [, file = "", line, text = ""] = /^(.+?)\((\d+),\d+\): (.*)$/s.exec(message) ?? []
          const program = files.get(path.resolve(folder, file))
          return program === undefined
            ? []
            : [[program, `${program.origins[Number(line) - 1]}: ${text.trim()}`] as const]
        })
      )
    })
  })
}

const worker = async (
  queue: Array<[string, Program]>,
  blame: (program: Program, message: string) => void,
  options: Options
): Promise<void> => {
  let shared: ChildProcess | undefined
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [file, program] = next
    const own = program.code.includes("DATABASE_URL")
    // The environment is read once by a process.
    const child = own ? start({ DATABASE_URL: await options.database() }) : (shared ??= start({}))
    const timeout = options.timeout ?? 120_000
    const task = { url: pathToFileURL(file).href, expectations: program.expectations, patience: timeout / 6 }
    const messages = await ask(child, task, timeout)
    for (const message of messages) blame(program, locate(message, file, program))
    if (own) child.kill()
    else if (child.killed || child.exitCode !== null || child.signalCode !== null) shared = undefined
  }
  shared?.kill()
}

const start = (env: NodeJS.ProcessEnv) =>
  fork(path.join(import.meta.dirname, "run.ts"), {
    cwd: root,
    env: { ...process.env, ...env },
    // Not those of the process that runs the tests.
    execArgv: [],
    stdio: ["ignore", "ignore", "ignore", "ipc"]
  })

const ask = (child: ChildProcess, task: Task, timeout: number): Promise<ReadonlyArray<string>> =>
  new Promise((resolve) => {
    const finish = (failures: ReadonlyArray<string>) => {
      clearTimeout(timer)
      child.removeAllListeners()
      resolve(failures)
    }
    const timer = setTimeout(() => {
      child.kill("SIGKILL")
      finish([`did not end within ${timeout} ms`])
    }, timeout)
    child.once("message", (answer: Answer) => finish(answer.failures))
    child.once("exit", (code, signal) => finish([`ended the process with ${code ?? signal}`]))
    child.send(task)
  })

/** Says in terms of the document where an error was thrown. */
const locate = (message: string, file: string, program: Program): string => {
  const at = message.split(path.basename(path.dirname(file)))
  const line = at.flatMap((frame) => new RegExp(`^.${path.basename(file)}:(\\d+)`).exec(frame)?.[1] ?? [])[0]
  return line === undefined ? message : `${program.origins[Number(line) - 1] ?? program.name}: ${message}`
}
