import Foundation
import Logging
import Sandbox
import Settings
import Systemd
import TestSupport
import Testing

@testable import Agent

@Suite("The work loop")
struct WorkLoopTests {
    /// A loop that cannot start: there is no such model.
    private static func loop(_ folder: TemporaryFolder) throws -> WorkLoop {
        let text = """
            [images]
            folder = "photos"
            [output]
            folder = "out"
            [state]
            folder = "state"
            [model]
            name = "none"
            """
        return WorkLoop(
            settings: try Settings(text, file: "\(folder.path)/shop.toml"), executable: "/nowhere",
            tableWorker: FileWorker(program: "/nowhere", argument: ""),
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, notifier: .none,
            monitor: ServiceMonitor())
    }

    @Test("one that cannot start answers with the reason, and has ended for all who wait for that")
    func failedStart() async throws {
        let folder = try TemporaryFolder()
        let loop = try Self.loop(folder)
        let waiting = (0..<3).map { _ in Task { await loop.end() } }
        let result = await withCheckedContinuation { continuation in
            loop.start {
                continuation.resume(returning: $0)
            } onEnd: { _ in
            }
        }
        #expect(throws: AgentError.self) { try result.get() }
        for one in waiting { await one.value }
        await loop.end()
        #expect(loop.failure?.description.contains("none") == true)
        #expect(!loop.ask(ReconcileRequest(allowsMassRemoval: false) { _ in }))
    }

    @Test("whoever waits for its end and is cancelled goes on waiting, and takes no processor time for it")
    func cancelled() async {
        // In a process of its own, whose time is measured.
        await #expect(processExitsWith: .success) {
            let loop = try Self.loop(try TemporaryFolder())
            let waiting = Task { await loop.end() }
            waiting.cancel()
            let before = clock()
            usleep(500_000)
            let used = Double(clock() - before) / Double(CLOCKS_PER_SEC)
            #expect(used < 0.25)
        }
    }
}
