import CSandbox
import Glibc
import Products

/// A worker's side: called by the process that `Worker` started, before it has any other thread.
package enum WorkerChannel {
    /// What a worker answers.
    package struct Answer {
        package let message: [UInt8]
        /// As many bytes as the worker was made for; empty for none.
        package let output: [UInt8]

        package init(message: [UInt8], output: [UInt8]) {
            self.message = message
            self.output = output
        }
    }

    /// Gives up what it has to, and answers until the agent is gone.
    ///
    /// - Parameter begin: called with what the agent says first, while files can still be opened. Returns the limits,
    ///   whether to contain this process, and what answers each question; nil where what was said makes no sense.
    package static func serve(
        _ begin: ([UInt8]) -> (limits: WorkerLimits, isContained: Bool, answer: ([UInt8]) -> Answer)?
    ) -> Never {
        let channel = Int32(IMGREC_WORKER_CHANNEL)
        guard case .message(let setup) = Message.receive(from: channel) else { exit(0) }
        guard let (limits, isContained, answer) = begin(setup) else { exit(64) }
        guard let memory = Memory() else { exit(70) }
        let greeting = contain(limits, isContained: isContained)
        _ = Message.write(greeting.bytes, to: channel)
        guard case .contained = greeting else { exit(71) }
        while case .message(let question) = Message.receive(from: channel) {
            guard let count = Message.number(question), count >= 0, count <= memory.input.count else {
                exit(64)
            }
            _ = imgrec_set_cpu_deadline(UInt64(limits.timeoutSeconds))
            let answer = answer(Array(UnsafeRawBufferPointer(rebasing: memory.input.prefix(count))))
            answer.output.withUnsafeBytes {
                memory.output.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: $0.prefix(memory.output.count)))
            }
            guard Message.write(answer.message, to: channel) else { exit(0) }
        }
        exit(0)
    }

    private static func contain(_ limits: WorkerLimits, isContained: Bool) -> WorkerGreeting {
        preferToBeKilled()
        let error = imgrec_set_limits(UInt64(limits.memoryBytes), UInt64(limits.lifetimeSeconds))
        guard error == 0 else { return .failed("limiting what it may use: \(errnoText(error))") }
        guard isContained else { return .contained(.none) }
        let result = imgrec_contain()
        if let failure = result.failure {
            return .failed("\(String(cString: failure)): \(errnoText(result.error))")
        }
        return .contained(Containment(landlock: Int(result.landlock), hasFilter: true))
    }

    /// Where memory runs out, a photo is lost rather than the agent. The corresponding file is proc(5)'s oom_score_adj.
    private static func preferToBeKilled() {
        let file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, "1000", 4)
        close(file)
    }

    /// The memory that is shared with the agent: photos to read, pictures to write.
    private struct Memory {
        let input: UnsafeRawBufferPointer
        let output: UnsafeMutableRawBufferPointer

        init?() {
            func mapped(_ descriptor: Int32, _ protection: Int32) -> UnsafeMutableRawBufferPointer? {
                var status = stat()
                guard fstat(descriptor, &status) == 0,
                    let start = mmap(
                        nil, Int(status.st_size), protection, MAP_SHARED | MAP_NORESERVE, descriptor, 0),
                    start != MAP_FAILED
                else { return nil }
                return UnsafeMutableRawBufferPointer(start: start, count: Int(status.st_size))
            }
            guard let input = mapped(Int32(IMGREC_WORKER_INPUT), PROT_READ),
                let output = mapped(Int32(IMGREC_WORKER_OUTPUT), PROT_READ | PROT_WRITE)
            else { return nil }
            self.input = UnsafeRawBufferPointer(input)
            self.output = output
        }
    }
}
