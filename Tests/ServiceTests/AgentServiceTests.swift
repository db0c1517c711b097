import Catalogue
import Control
import Foundation
import Logging
import Products
import Settings
import Systemd
import TestSupport
import Testing

@testable import Service

/// Each agent has a process of its own: signals and the kernel's queue of changes belong to one. A process that got through its test
/// says so with a code of its own, for an agent that hangs is ended with 0.
@Suite("The service", .inLanes)
struct AgentServiceTests {
    /// Runs an agent over a folder as `imgrec-agent run` does.
    private static func run(_ folder: TemporaryFolder, model: String = "") async throws {
        let file = "\(folder.path)/shop.toml"
        try folder.write("photos/a/b.txt", [1])
        try folder.write(
            "shop.toml",
            Array(
                """
                images.folder = "photos"
                output.folder = "out"
                state.folder = "state"
                model.folder = "\(Repository.models)"
                \(model)
                """.utf8))
        try await AgentService.run(
            settings: try Settings(file: file), settingsFile: file, executable: Repository.agent,
            version: "test", log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, notifier: .none)
    }

    private static func client(_ folder: TemporaryFolder) throws -> ControlClient? {
        try ControlClient(settings: try Settings(file: "\(folder.path)/shop.toml"))
    }

    /// Waits until an agent answers.
    private static func isUp(_ folder: TemporaryFolder) -> Bool {
        eventually { (try? client(folder)?.status().running?.state) == "idle" }
    }

    @Test("SIGTERM ends it without an error, and it leaves neither its socket nor its lock")
    func ends() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let folder = try TemporaryFolder()
            Thread.detachNewThread {
                precondition(Self.isUp(folder))
                kill(getpid(), SIGTERM)
            }
            try await Self.run(folder)
            #expect(try Self.client(folder) == nil)
            #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/state/control.socket"))
            // Whoever comes next finds nothing held.
            _ = try StateLock(stateFolder: "\(folder.path)/state")
            exit(7)
        }
    }

    @Test("one that cannot start throws the reason, and leaves no socket")
    func cannotStart() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let folder = try TemporaryFolder()
            do {
                try await Self.run(folder, model: "model.name = \"none\"")
                Issue.record("it ran")
            } catch {
                #expect(error.explained.description.contains("none"))
            }
            #expect(try Self.client(folder) == nil)
            exit(7)
        }
    }

    @Test("a second one over the same folders throws that the first runs, which goes on")
    func second() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let folder = try TemporaryFolder()
            let first = Task.detached { try await Self.run(folder) }
            #expect(await Task.detached { Self.isUp(folder) }.value)
            let settings = try Settings(file: "\(folder.path)/shop.toml")
            #expect(throws: LockError.self) { _ = try ControlServer.takeSocket(settings) }
            #expect(Self.isUp(folder))
            kill(getpid(), SIGTERM)
            try await first.value
            exit(7)
        }
    }
}
