// Sandbox: work that may crash, hang or be taken over goes in, an answer or the reason for none comes out.
//
// A `Worker` is a process of its own, of the same program. It gets bytes in shared memory that it can only read, and gives
// back a message and bytes in shared memory of a fixed size. It can open no file and no connection (`Containment`), and
// the kernel bounds its memory and time; whatever it does, the agent loses one answer. What it says is not trusted: a
// message is at most so long, and memory that is shared neither shrinks nor grows. What it says of a photo may be
// wrong where an earlier photo has taken it over; so one that met a damaged photo answers no more questions.
//
// A `FileWorker` is a process too, but not contained: it looks at files whose disk may not answer.
//
// This room knows bytes. What they mean is the business of whoever asks and of whoever serves.

import Products

/// What a worker may use.
package struct WorkerLimits: Codable, Hashable, Sendable {
    /// Address space, in bytes, beyond what an idle worker has.
    package var memoryBytes: Int
    /// How long an answer may take, on the clock and in processor time.
    package var timeoutSeconds: Int

    package init(memoryBytes: Int, timeoutSeconds: Int) {
        self.memoryBytes = memoryBytes
        self.timeoutSeconds = timeoutSeconds
    }

    /// CPU time that a worker may use in its life. Before that it is replaced.
    var lifetimeSeconds: Int { max(600, 20 * timeoutSeconds) }
}

/// What a worker gave up, as it says itself.
package struct Containment: Codable, Hashable, Sendable {
    /// The version of Landlock's interface; 0 where the kernel has none.
    package let landlock: Int
    /// Whether system calls are filtered.
    package let hasFilter: Bool

    package static let none = Containment(landlock: 0, hasFilter: false)
}

/// Why no worker can be started.
package enum SandboxError: ExplainedError, Hashable {
    case cannotStart(doing: String, errno: Int32)
    /// It ended, or was ended, before it said anything. Another may fare better.
    case didNotBegin(WorkerFailure)
    /// It started and could not give up what it has to.
    case cannotContain(reason: String)

    package var explanation: Explanation {
        switch self {
        case .cannotStart(let doing, let number):
            .init(
                "a process for reading photos cannot be started: \(doing): \(errnoText(number))", .system)
        case .didNotBegin(let failure):
            .init("a process for reading photos ended before it began: \(failure)", .system)
        case .cannotContain(let reason):
            .init(
                "the process for reading photos cannot be contained: \(reason)",
                remedy:
                    "If you trust all photos, run without a sandbox: set sandbox = \"off\" in [workers]. Others could harm the agent then.",
                .settings)
        }
    }
}

/// Why a worker gave no answer. It has ended.
package enum WorkerFailure: Error, Hashable {
    case timeout(seconds: Int)
    /// More processor time than it may have.
    case cpuTime
    /// It did what the sandbox forbids.
    case forbidden
    /// Somebody ended it: most often the kernel, for want of memory.
    case killed
    case crashed(signal: Int32)
    case ended(code: Int32)
    /// Its answer makes no sense.
    case nonsense
}

extension WorkerFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .timeout(let seconds): "it took longer than workers.timeout_seconds = \(seconds)"
        case .cpuTime: "it took more processor time than workers.timeout_seconds allows"
        case .forbidden: "the process that read it tried what the sandbox forbids, and was stopped"
        case .killed: "the process that read it was killed, probably for want of memory"
        case .crashed(let signal): "the process that read it crashed (\(signalName(signal)))"
        case .ended(let code): "the process that read it ended with \(code)"
        case .nonsense: "the process that read it gave an answer that makes no sense"
        }
    }
}
