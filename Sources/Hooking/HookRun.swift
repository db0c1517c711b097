import Foundation
import Subprocess
import Synchronization
import SystemPackage

/// One run of the hook: a process in a session of its own, so that all that it starts can be ended with it, with the
/// changes on standard input and a time limit.
struct HookRun {
    /// The program and its arguments.
    let command: [String]
    /// What it reads from standard input.
    let input: FileDescriptor
    let outputFolder: String
    let timeout: Duration

    /// What it gets to end in peace.
    private static let grace = Duration.seconds(2)
    /// Of a line so many bytes are told, and of the last one so many characters where it failed.
    private static let lineLength = 1000
    private static let wordsOfFailure = 200

    /// Runs it and waits for its end.
    ///
    /// - Parameter log: takes each line that it writes.
    /// - Returns: why it failed; nil where it did not.
    func run(log: @escaping @Sendable (String) -> Void) async -> String? {
        let timeout = timeout
        return await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await self.execute(log) }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return Task.isCancelled ? .cancelled : .timedOut
            }
            let outcome = await group.next() ?? .cancelled
            group.cancelAll()
            // The process is not left behind.
            await group.waitForAll()
            switch outcome {
            case .ended(let reason): return reason
            case .cancelled: return "it was stopped"
            case .timedOut:
                let seconds = String(format: "%g", timeout.seconds)
                return "it was ended after \(seconds) s (publish.timeout_seconds)"
            }
        }
    }

    private enum Outcome: Sendable {
        case ended(String?)
        case timedOut
        case cancelled
    }

    private func execute(_ log: @escaping @Sendable (String) -> Void) async -> Outcome {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: Self.grace)
        ]
        let leader = Mutex<pid_t?>(nil)
        // Whatever of it did not go in peace.
        defer {
            if Task.isCancelled, let leader = leader.withLock({ $0 }) { kill(-leader, SIGKILL) }
        }
        do {
            let result = try await Subprocess.run(
                .path(FilePath(command[0])), arguments: Arguments(Array(command.dropFirst())),
                environment: .inherit.updating([
                    .init(stringLiteral: PublishHook.outputVariable): outputFolder
                ]),
                workingDirectory: FilePath(outputFolder), platformOptions: options,
                input: .fileDescriptor(input, closeAfterSpawningProcess: false), output: .sequence,
                error: .combinedWithOutput
            ) { execution in
                leader.withLock { $0 = execution.processIdentifier.value }
                var lines = HookLines(longest: Self.lineLength, log)
                for try await buffer in execution.standardOutput {
                    buffer.withUnsafeBytes { lines.take($0) }
                }
                return lines.end()
            }
            guard !Task.isCancelled else { return .cancelled }
            let words = String(result.closureResult.prefix(Self.wordsOfFailure))
            let saying = words.isEmpty ? "" : ": \(words)"
            return switch result.terminationStatus {
            case .exited(0): .ended(nil)
            case .exited(let code): .ended("it ended with exit code \(code)\(saying)")
            case .signaled(let signal): .ended("it was ended by signal \(signal)\(saying)")
            }
        } catch {
            guard !Task.isCancelled else { return .cancelled }
            let hasBegun = leader.withLock { $0 } != nil
            return .ended(hasBegun ? "\(error)" : "\(command[0]) could not be run: \(error)")
        }
    }
}

/// Bytes in, lines out; of a long line the beginning.
private struct HookLines {
    private let longest: Int
    private let tell: (String) -> Void
    private var line: [UInt8] = []
    private var last = ""

    init(longest: Int, _ tell: @escaping (String) -> Void) {
        self.longest = longest
        self.tell = tell
    }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                flush()
            } else if line.count < longest {
                line.append(byte)
            }
        }
    }

    /// The last line that was not empty.
    mutating func end() -> String {
        flush()
        return last
    }

    private mutating func flush() {
        defer { line.removeAll(keepingCapacity: true) }
        let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespaces)
        guard !text.isEmpty else { return }
        tell(text)
        last = text
    }
}
