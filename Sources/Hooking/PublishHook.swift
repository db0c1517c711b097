import Catalogue
import Foundation
import Products
import Publishing
import Settings
import SystemPackage
import Threads
import UnixSignals

/// Tells the program that `publish.hook` names of each product whose file has changed, until it has understood.
///
/// What it has not been told of is in the catalogue, so nothing is lost with the process. Its standard input is a file in
/// the state folder that is locked as long as anybody has it open: also across a kill of the agent there are never two.
package struct PublishHook: Sendable {
    let settings: Settings
    let catalogue: Catalogue

    /// The file that the changes are handed over in.
    static let fileName = "hook-changes.jsonl"
    /// So long after it is looked again whether one that was begun before has ended.
    static let busyInterval = Duration.seconds(1)

    /// In the environment of the program: the output folder.
    static let outputVariable = "IMGREC_OUTPUT"

    /// Whether this process was started by the hook for these settings.
    package static func isRunning(for settings: Settings) -> Bool {
        ProcessInfo.processInfo.environment[outputVariable] == settings.output.folder
    }

    enum Outcome: Hashable, Sendable {
        case nothingToTell
        case told(Int)
        case failed(String)
        /// One that was begun before still runs.
        case busy
    }

    /// Nil where the settings name none.
    package init?(settings: Settings, catalogue: Catalogue) {
        guard !settings.publish.hook.isEmpty else { return nil }
        self.settings = settings
        self.catalogue = catalogue
    }

    /// What is to be told, in a file that is locked as long as somebody has it open.
    private struct Handover: Sendable {
        let input: FileDescriptor
        let changes: [HookChange]
    }

    private enum Preparation: Sendable {
        case handover(Handover)
        case over(Outcome)
    }

    /// Runs it once, if there is something to tell.
    ///
    /// - Parameter log: takes each line that it writes.
    /// - Throws: `CatalogueError`, or `HookError` where the file for the changes cannot be written.
    func tell(log: @escaping @Sendable (String) -> Void) async throws -> Outcome {
        let handover: Handover
        let preparation = try await onOwnThread { try prepare() }
        switch preparation {
        case .over(let outcome): return outcome
        case .handover(let prepared): handover = prepared
        }
        defer { close(handover.input.rawValue) }
        let run = HookRun(
            command: settings.publish.hook, input: handover.input, outputFolder: settings.output.folder,
            timeout: settings.publish.timeout)
        if let failure = await run.run(log: log) { return .failed(failure) }
        try await onOwnThread { try catalogue.noteTold(handover.changes) }
        return .told(handover.changes.count)
    }

    /// Writes down what is to be told.
    private func prepare() throws -> Preparation {
        let file = "\(settings.state.folder)/\(Self.fileName)"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw HookError.cannotWrite(file: file, reason: errnoText(errno)) }
        var isHandedOver = false
        defer { if !isHandedOver { close(descriptor) } }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else {
                throw HookError.cannotLock(file: file, reason: errnoText(errno))
            }
            return .over(.busy)
        }
        // Under the lock: another may just have told them.
        let changes = try catalogue.hookChanges()
        guard !changes.isEmpty else { return .over(.nothingToTell) }
        let input = FileDescriptor(rawValue: descriptor)
        do {
            guard ftruncate(descriptor, 0) == 0 else { throw Errno(rawValue: errno) }
            try input.writeAll(lines(changes))
            try input.seek(offset: 0, from: .start)
        } catch {
            throw HookError.cannotWrite(file: file, reason: "\(error)")
        }
        isHandedOver = true
        return .handover(Handover(input: input, changes: changes))
    }

    /// Runs it at once, after one that was begun before has ended; for commands. SIGINT and SIGTERM end it.
    ///
    /// - Parameter log: takes each line that it writes.
    /// - Returns: why it failed; nil where it did not.
    package func run(log: @escaping @Sendable (String) -> Void) async throws -> String? {
        let result = await withTaskGroup(of: Result<String?, any Error>?.self) { group in
            group.addTask { await self.outcome(log) }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { break }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            guard first == nil else { return first }
            // Ended by a signal: what it was at ends first.
            for await other in group where other != nil { return other }
            return nil
        }
        return try (result ?? .success("it was stopped")).get()
    }

    private func outcome(_ log: @escaping @Sendable (String) -> Void) async -> Result<String?, any Error> {
        let end = ContinuousClock.now + settings.publish.timeout
        while !Task.isCancelled {
            do {
                switch try await tell(log: log) {
                case .nothingToTell, .told: return .success(nil)
                case .failed(let reason): return .success(reason)
                case .busy:
                    guard .now < end else { return .success("one that was begun before still runs") }
                    try? await Task.sleep(for: Self.busyInterval)
                }
            } catch {
                return .failure(error)
            }
        }
        return .success("it was stopped")
    }

    /// One JSON object a line.
    private func lines(_ changes: [HookChange]) -> [UInt8] {
        let layout = OutputForm(settings).layout
        var bytes: [UInt8] = []
        for change in changes {
            var json = JSONText(isCompact: true)
            json.open(.object)
            json.addMember("product", change.product.text)
            json.addMember("change", change.isRemoved ? "removed" : "written")
            json.addMember("file", OutputPath(of: change.product, in: layout).relative)
            json.close()
            bytes += json.bytes + [UInt8(ascii: "\n")]
        }
        return bytes
    }
}
