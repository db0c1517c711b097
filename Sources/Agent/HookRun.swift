import Foundation
import Subprocess
import SystemPackage

/// One run of the hook: a process of its own, with the changes on standard input and a time limit.
struct HookRun {
    /// The program and its arguments.
    let command: [String]
    /// What it reads from standard input.
    let input: FileDescriptor
    let outputFolder: String
    let timeout: Duration
    /// Whether it runs in a session of its own, so that all that it starts can be ended with it.
    let hasSession: Bool

    /// What it gets to end in peace.
    private static let grace = Duration.seconds(2)
    /// So much of what it said is told of a failure.
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
            var outcome = await group.next() ?? .cancelled
            let isTimedOut = if case .timedOut = outcome { true } else { false }
            group.cancelAll()
            // The process is not left behind.
            for await other in group { if case .timedOut = outcome { outcome = other } }
            if isTimedOut {
                let seconds = String(format: "%g", timeout.seconds)
                return "it was ended after \(seconds) s (publish.timeout_seconds)"
            }
            return outcome.reason
        }
    }

    private enum Outcome: Sendable {
        case ended(String?)
        case timedOut
        case cancelled

        var reason: String? {
            switch self {
            case .ended(let reason): reason
            case .timedOut, .cancelled: "it was stopped with the agent"
            }
        }
    }

    private func execute(_ log: @escaping @Sendable (String) -> Void) async -> Outcome {
        var options = PlatformOptions()
        options.createSession = hasSession
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: hasSession, allowedDurationToNextStep: Self.grace)
        ]
        do {
            let result = try await Subprocess.run(
                .path(FilePath(command[0])), arguments: Arguments(Array(command.dropFirst())),
                environment: .inherit.updating(["IMGREC_OUTPUT": outputFolder]),
                workingDirectory: FilePath(outputFolder), platformOptions: options,
                input: .fileDescriptor(input, closeAfterSpawningProcess: false), output: .sequence,
                error: .combinedWithOutput
            ) { execution in
                var last = ""
                for try await line in execution.standardOutput.strings() where !line.isEmpty {
                    log(line)
                    last = line
                }
                return last
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
            return Task.isCancelled ? .cancelled : .ended("\(command[0]) could not be run: \(error)")
        }
    }
}
