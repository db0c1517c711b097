import Foundation
import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite("Workers", .serialized, .inLanes)
struct WorkerTests {
    /// A worker of Tests/SandboxProbe.
    private func worker(isContained: Bool = true, timeoutSeconds: Int = 20) throws -> Worker {
        try Worker(
            program: Repository.built("SandboxProbe"), argument: "probe",
            setup: [isContained ? 1 : 0, UInt8(timeoutSeconds)], inputBytes: 1 << 20, outputBytes: 8,
            limits: WorkerLimits(memoryBytes: 160 << 20, timeoutSeconds: timeoutSeconds))
    }

    private func ask(_ worker: Worker, _ command: String) throws(WorkerFailure) -> String {
        String(decoding: try worker.ask(Array(command.utf8)).message, as: UTF8.self)
    }

    @Test("a worker answers one question after another, and says what it gave up")
    func answers() throws {
        let worker = try worker()
        for question in ["one", "two", "a longer question"] {
            let (message, output) = try worker.ask(Array(question.utf8))
            #expect(String(decoding: message, as: UTF8.self) == question)
            #expect(output.count == 8 && output.starts(with: question.utf8.prefix(3)))
        }
        #expect(worker.containment.hasFilter)
        print("Landlock's version here: \(worker.containment.landlock)")
    }

    @Test(
        "what ends a worker is told by its kind",
        arguments: [
            ("crash", WorkerFailure.crashed(signal: SIGSEGV)), ("abort", .crashed(signal: SIGABRT)),
            ("exit", .ended(code: 3)), ("processor time", .cpuTime), ("close", .nonsense),
            // A message that is longer than any may be.
            ("long", .nonsense),
            ("socket", .forbidden), ("local socket", .forbidden), ("other programs", .forbidden),
            ("signal", .forbidden), ("code", .forbidden), ("shrink", .forbidden), ("unlink", .forbidden),
            ("chdir", .forbidden), ("write a file", .crashed(signal: SIGXFSZ)),
        ])
    func failures(command: String, failure: WorkerFailure) throws {
        let worker = try worker()
        #expect(throws: failure) { try ask(worker, command) }
        #expect(throws: WorkerFailure.self) { try ask(worker, "again") }
        #expect(try ask(try self.worker(), "again") == "again")
    }

    @Test("what it could do without the sandbox it cannot do with it")
    func refusals() throws {
        let (contained, free) = (try worker(), try worker(isContained: false))
        #expect(!free.containment.hasFilter)
        for command in ["open", "create", "grow a limit"] {
            #expect(try ask(contained, command).hasPrefix("refused: "), "\(command)")
        }
        for command in ["open", "create", "unlink", "socket", "local socket", "chdir", "code"] {
            #expect(try ask(free, command).hasPrefix("could: "), "\(command)")
        }
    }

    @Test("with or without the sandbox it cannot change what it was given", arguments: [true, false])
    func input(isContained: Bool) throws {
        #expect(try ask(try worker(isContained: isContained), "change the photo").hasPrefix("refused: "))
    }

    @Test("without the sandbox too, the memory that is shared keeps its size")
    func sealed() throws {
        #expect(try ask(try worker(isContained: false), "shrink").hasPrefix("refused: "))
    }

    @Test("its memory is limited, with or without the sandbox", arguments: [true, false])
    func memory(isContained: Bool) throws {
        #expect(try ask(try worker(isContained: isContained), "memory") == "got less than 200 MB")
    }

    @Test("one that takes too long is ended", arguments: ["hang", "spin"])
    func timeout(command: String) throws {
        let worker = try worker(timeoutSeconds: 1)
        #expect(throws: WorkerFailure.timeout(seconds: 1)) { try ask(worker, command) }
    }

    @Test("a worker ends with the agent's side of it")
    func ends() throws {
        let before = children()
        var worker: Worker? = try worker()
        #expect(children() > before)
        #expect(try ask(try #require(worker), "x") == "x")
        worker = nil
        #expect(children() == before)
    }

    /// How many processes this one has started and not waited for, of the probe.
    private func children() -> Int {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.count { process in
            guard Int(process) != nil,
                let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
            else { return false }
            return status.contains("PPid:\t\(getpid())\n") && status.hasPrefix("Name:\tSandboxProbe\n")
        }
    }

    @Test("a program that is not there, or is no worker, is an error in words")
    func noWorker() {
        #expect {
            try Worker(
                program: "/nowhere", argument: "x", setup: [], inputBytes: 1, outputBytes: 1,
                limits: WorkerLimits(memoryBytes: 1 << 20, timeoutSeconds: 1))
        } throws: {
            "\($0)".contains("running /nowhere: No such file")
        }
        #expect {
            try Worker(
                program: "/bin/true", argument: "x", setup: [1], inputBytes: 1, outputBytes: 1,
                limits: WorkerLimits(memoryBytes: 1 << 20, timeoutSeconds: 1))
        } throws: {
            if case .didNotBegin(.ended(code: 0)) = $0 as? SandboxError { true } else { false }
        }
    }
}
