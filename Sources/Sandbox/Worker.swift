import CSandbox
import Glibc
import Products

/// A process that answers one question after another. For one thread at a time.
package final class Worker: @unchecked Sendable {  // whoever has taken it from the pool has it alone
    private let process: pid_t
    private let channel: Int32
    private let input: SharedMemory
    private let output: SharedMemory
    private let outputBytes: Int
    private let limits: WorkerLimits
    private var hasEnded = false

    package let containment: Containment

    /// Photos whose bytes are beyond this give their memory back at once.
    private static let keptBytes = 4 << 20

    /// Starts a worker and waits until it is contained.
    ///
    /// - Parameters:
    ///   - program: what to run; `argument` has it call `WorkerChannel.serve`.
    ///   - setup: what the worker gets before anything else.
    ///   - inputBytes: how long the bytes of a question may be.
    ///   - outputBytes: how many bytes an answer has besides its message.
    package init(
        program: String, argument: String, setup: [UInt8], inputBytes: Int, outputBytes: Int,
        limits: WorkerLimits
    ) throws(SandboxError) {
        input = try SharedMemory(bytes: inputBytes)
        output = try SharedMemory(bytes: outputBytes)
        self.outputBytes = outputBytes
        self.limits = limits
        let readable = imgrec_reopen_for_reading(input.descriptor)
        guard readable >= 0 else { throw .cannotStart(doing: "opening shared memory", errno: errno) }
        defer { close(readable) }
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
        else {
            throw .cannotStart(doing: "making a channel", errno: errno)
        }
        channel = ends[0]
        var process: pid_t = 0
        let error = imgrec_spawn_worker(program, argument, ends[1], readable, output.descriptor, &process)
        // As long as it is open here, the worker's end would not be noticed.
        close(ends[1])
        guard error == 0 else {
            close(channel)
            throw .cannotStart(doing: "running \(program)", errno: error)
        }
        self.process = process
        var greeting = WorkerGreeting.ended
        if Message.send(setup, to: channel) {
            switch Message.receive(from: channel, seconds: Self.startSeconds) {
            case .message(let bytes): greeting = WorkerGreeting(bytes)
            case .closed, .timeout, .tooLong: break
            }
        }
        switch greeting {
        case .contained(let containment): self.containment = containment
        case .failed(let reason):
            containment = .none
            end()
            throw .cannotContain(reason: reason)
        case .ended:
            containment = .none
            let failure = whyItEnded()
            throw .didNotBegin(failure)
        }
    }

    /// Loading the program from a slow disk takes a while.
    private static let startSeconds = 60

    deinit {
        end()
        close(channel)
    }

    /// Asks, and waits for the answer.
    ///
    /// - Parameter bytes: at most as many as it was made for.
    /// - Returns: the message, and the bytes that came with it.
    package func ask(_ bytes: [UInt8]) throws(WorkerFailure) -> (message: [UInt8], output: [UInt8]) {
        input.write(bytes)
        defer { if bytes.count > Self.keptBytes { input.forget(bytes.count) } }
        // What it said unasked is no answer.
        guard !Message.isWaiting(on: channel), Message.send(Message.number(bytes.count), to: channel) else {
            throw whyItEnded()
        }
        switch Message.receive(from: channel, seconds: limits.timeoutSeconds) {
        case .message(let message): return (message, output.read(outputBytes))
        case .timeout:
            end()
            throw .timeout(seconds: limits.timeoutSeconds)
        case .tooLong:
            end()
            throw .nonsense
        case .closed: throw whyItEnded()
        }
    }

    /// Whether it has used up so much of its processor time that it should be replaced.
    package var isWornOut: Bool {
        var clock = clockid_t()
        var used = timespec()
        guard clock_getcpuclockid(process, &clock) == 0, clock_gettime(clock, &used) == 0 else { return true }
        return used.tv_sec > limits.lifetimeSeconds / 2
    }

    private func end() {
        guard !hasEnded else { return }
        hasEnded = true
        kill(process, SIGKILL)
        _ = imgrec_wait_for(process)
    }

    /// It closed the channel, so it has ended or is about to.
    private func whyItEnded() -> WorkerFailure {
        guard !hasEnded else { return .killed }
        hasEnded = true
        // One that closed the channel and goes on has nothing to say any more.
        let end = ContinuousClock.now + .seconds(1)
        while ContinuousClock.now < end, !isZombie { usleep(1000) }
        let livesOn = !isZombie
        if livesOn { kill(process, SIGKILL) }
        let status = imgrec_wait_for(process)
        guard !livesOn else { return .nonsense }
        switch status {
        case SIGSYS: return .forbidden
        case SIGXCPU: return .cpuTime
        case SIGKILL: return .killed
        case 1..<256: return .crashed(signal: status)
        case 256...: return .ended(code: status - 256)
        default: return .killed
        }
    }

    private var isZombie: Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT) == 0
            && info.si_signo == SIGCHLD
    }
}

func signalName(_ signal: Int32) -> String {
    strsignal(signal).map { String(cString: $0) } ?? "signal \(signal)"
}
