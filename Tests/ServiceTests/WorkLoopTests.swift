import Embedding
import Foundation
import Logging
import Products
import Sandbox
import Settings
import Systemd
import TestSupport
import Testing
import Threads

@testable import Service

@Suite("The work loop", .inLanes)
struct WorkLoopTests {
    /// - Parameter model: lines of that table; as it is here, there is no such model, and the loop cannot start.
    private static func loop(
        _ folder: TemporaryFolder, model: String = "name = \"none\"", monitor: ServiceMonitor = .init(),
        now: @escaping Now = { .now }
    ) throws -> WorkLoop {
        let text = """
            [images]
            folder = "photos"
            [output]
            folder = "out"
            [state]
            folder = "state"
            [model]
            \(model)
            """
        return WorkLoop(
            .init(
                settings: try Settings(text, file: "\(folder.path)/shop.toml"), executable: Repository.agent,
                attributesWorker: FileWorker(program: "/nowhere", argument: ""),
                log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, notifier: .none,
                monitor: monitor, now: now))
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
        #expect(throws: ModelError.self) { try result.get() }
        for one in waiting { await one.value }
        await loop.end()
        #expect(loop.failure?.explained.description.contains("none") == true)
        #expect(!loop.ask(ReconcileRequest(allowsMassRemoval: false) { _ in }))
    }

    @Test("whoever waits for its end and is cancelled goes on waiting, and takes no processor time for it")
    func cancelled() async {
        // In a process of its own, whose time is measured.
        await #expect(processExitsWith: .success) {
            let loop = try Self.loop(try TemporaryFolder())
            let waiting = Task { await loop.end() }
            waiting.cancel()
            usleep(100_000)
            // However busy the machine is, who spins gets as much as this thread.
            func seconds(_ clock: clockid_t) -> Double {
                var time = timespec()
                clock_gettime(clock, &time)
                return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
            }
            let (all, own) = (seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_THREAD_CPUTIME_ID))
            while seconds(CLOCK_THREAD_CPUTIME_ID) - own < 0.3 {}
            let used = seconds(CLOCK_PROCESS_CPUTIME_ID) - all - 0.3
            #expect(used < 0.15)
        }
    }

    @Test("a folder that comes back is looked at at once, however long the next try is off")
    func folderBack() async {
        // In a process of its own, which has one watcher.
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            try folder.write("photos/a/b.txt", [1])
            let monitor = ServiceMonitor()
            // It stands still, so the next try is not due by itself.
            let clock = ManualClock()
            let loop = try Self.loop(
                folder, model: "folder = \"\(Repository.models)\"", monitor: monitor, now: clock.now)
            try await withCheckedThrowingContinuation { continuation in
                loop.start {
                    continuation.resume(with: $0)
                } onEnd: { _ in
                }
            }
            #expect(eventually { monitor.current.phase == .idle })
            #expect(rename("\(folder.path)/photos", "\(folder.path)/away") == 0)
            #expect(eventually { loop.countSettling() > 0 })
            clock.advance(by: .seconds(10))
            #expect(eventually { monitor.current.phase == .waitingForFolder })
            #expect(rename("\(folder.path)/away", "\(folder.path)/photos") == 0)
            #expect(eventually { monitor.current.phase == .idle })
            await loop.end()
        }
    }
}
