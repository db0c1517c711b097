// A worker that does on demand what a photo might make one do.

import Glibc
import Sandbox

/// What was asked for was refused in a way that a process survives.
func outcome(_ result: Int, _ what: String) -> String {
    result >= 0 ? "could: \(what)" : "refused: \(String(cString: strerror(errno)))"
}

func perform(_ command: String) -> String {
    switch command {
    case "crash": raise(SIGSEGV)
    case "abort": abort()
    case "exit": exit(3)
    case "hang": while true { sleep(1) }
    case "spin": while true {}
    case "processor time":
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &limit)
        limit.rlim_cur = 1
        setrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &limit)
        while true {}
    case "open": return outcome(Int(open("/etc/passwd", O_RDONLY)), "open a file")
    case "create": return outcome(Int(open("/tmp/imgrec-probe", O_WRONLY | O_CREAT, 0o600)), "create a file")
    case "socket": return outcome(Int(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)), "make a connection")
    case "local socket": return outcome(Int(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)), "make a socket")
    case "signal": return outcome(Int(kill(getppid(), SIGUSR1)), "signal the agent")
    case "unlink": return outcome(Int(unlink("/tmp/imgrec-probe")), "remove a file")
    case "chdir": return outcome(Int(chdir("/")), "change its folder")
    case "grow a limit":
        var limit = rlimit(rlim_cur: .max, rlim_max: .max)
        return outcome(
            Int(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)), "raise its own limit")
    case "code":
        let page = mmap(nil, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return outcome(page == MAP_FAILED ? -1 : 0, "make code")
    case "change the photo":
        let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 4, 0)
        return outcome(page == MAP_FAILED ? -1 : 0, "change what it was given")
    case "shrink": return outcome(Int(ftruncate(5, 0)), "shrink shared memory")
    case "write a file": return outcome(write(5, "x", 1), "write to a file")
    case "other programs":
        return outcome(Int(execve("/bin/true", [nil], [nil])), "run a program")
    case "memory":
        var megabytes = 0
        while megabytes < 4096, let memory = malloc(1 << 20) {
            memset(memory, 1, 1 << 20)
            megabytes += 1
        }
        return "got \(megabytes < 200 ? "less than 200" : "\(megabytes)") MB"
    case "close":
        close(3)
        sleep(60)
    default: break
    }
    return command
}

if CommandLine.arguments == ["imgrec-agent", "look-at-files"] { FileWorkerMain.run() }
WorkerChannel.serve { setup in
    (
        WorkerLimits(memoryBytes: 160 << 20, timeoutSeconds: Int(setup[1])), setup[0] == 1,
        { question in
            let command = String(decoding: question, as: UTF8.self)
            if command == "long" {
                return WorkerChannel.Answer(message: [UInt8](repeating: 1, count: 70_000), output: [])
            }
            return WorkerChannel.Answer(message: Array(perform(command).utf8), output: question)
        }
    )
}
