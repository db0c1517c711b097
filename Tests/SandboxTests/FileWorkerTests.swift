import Files
import Foundation
import Glibc
import Products
import TestSupport
import Testing

@testable import Sandbox

@Suite("A process that looks at files", .serialized, .inLanes)
struct FileWorkerTests {
    private let folder: TemporaryFolder
    private let worker: FileWorker

    init() throws {
        folder = try TemporaryFolder()
        worker = FileWorker(
            program: Repository.built("SandboxProbe"), argument: "look-at-files")
    }

    private func look(_ path: String) throws(FileWorkerFailure) -> FileWorker.Stamp? {
        try worker.stamp(of: path, timeoutSeconds: 60)
    }

    private func read(_ path: String) throws(FileWorkerFailure) -> (stamp: FileWorker.Stamp, bytes: [UInt8])?
    {
        try worker.contents(of: path, limit: 10_000_000, timeoutSeconds: 60)
    }

    @Test("gives a file's bytes and stamp, however long it is", arguments: [0, 1, 65_535, 65_536, 3_000_000])
    func contents(count: Int) throws {
        var random = SeededRandom(seed: UInt64(count))
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        try folder.write("a b\u{E4}.csv", bytes)
        let path = "\(folder.path)/a b\u{E4}.csv"
        var status = stat()
        #expect(stat(path, &status) == 0)
        let stamp = try #require(try look(path))
        #expect(
            stamp.bytes == count && stamp.seconds == status.st_mtim.tv_sec
                && stamp.nanoseconds == status.st_mtim.tv_nsec)
        let found = try #require(try read(path))
        #expect(found.stamp == stamp && found.bytes == bytes)
        // One answer does not run into the next.
        #expect(try look(path) == stamp)
    }

    @Test("says so where there is no file, or something else, or one that may not be read")
    func nothing() throws {
        #expect(mkfifo("\(folder.path)/pipe", 0o600) == 0)
        let long = String(repeating: "/x", count: 40_000)
        for path in ["\(folder.path)/none", folder.path, "\(folder.path)/pipe", "/dev/zero", "", long] {
            #expect(try look(path) == nil && read(path) == nil, "\(path.prefix(80))")
        }
    }

    /// What the process answers where a call fails; in this process.
    private func answer(_ question: FileWorkerMain.Question, _ path: String, _ files: any FileCalls) throws
        -> [[UInt8]]
    {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0)
        defer { close(ends[0]) }
        #expect(FileWorkerMain.answer(question, path, to: ends[1], files: files))
        close(ends[1])
        var answers: [[UInt8]] = []
        while case .message(let bytes) = Message.receive(from: ends[0]) { answers.append(bytes) }
        return answers
    }

    @Test(
        "whichever call fails, the answer says so, and what the disk gives in parts is whole",
        arguments: [.errno(EIO), .errno(EMFILE), .errno(ESTALE), .errno(EACCES), .short]
            as [FailingFiles.Fault])
    func faults(fault: FailingFiles.Fault) throws {
        let bytes = (0..<1000).map { UInt8($0 % 251) }
        try folder.write("a.csv", bytes)
        let path = "\(folder.path)/a.csv"
        var injected = 0
        for question in [FileWorkerMain.Question.stamp, .contents] {
            let whole = try answer(question, path, SystemFiles())
            var call = 1
            while true {
                let files = FailingFiles(
                    fault, at: call, isLasting: false, of: FailingFiles.kinds(of: fault))
                let said = try answer(question, path, files)
                if files.injected.isEmpty || fault.description == "half" {
                    #expect(said == whole)
                } else if fault.description == errnoText(EACCES) {
                    #expect(said.last == [FileWorkerMain.Answer.nothing.rawValue])
                } else {
                    #expect(said.last?.first == FileWorkerMain.Answer.failed.rawValue)
                }
                guard !files.injected.isEmpty else { break }
                (call, injected) = (call + 1, injected + 1)
            }
        }
        print("looking at a table, \(fault): \(injected) faults injected")
        #expect(injected > 0)
    }

    @Test("says what is wrong with a disk that answers that it cannot")
    func broken() throws {
        // A file of the kernel's whose first page nobody has.
        #expect(try look("/proc/self/mem") != nil)
        #expect(throws: FileWorkerFailure.failed(errno: EIO)) { try read("/proc/self/mem") }
        // It is an answer as any.
        let before = worker.process
        try folder.write("a", [1])
        #expect(try read("\(folder.path)/a")?.bytes == [1] && worker.process == before)
    }

    @Test("one that is stopped costs the answer, and the next question a new process; a lost one likewise")
    func hangs() throws {
        try folder.write("a", [1])
        let path = "\(folder.path)/a"
        func process() throws -> pid_t { try #require(worker.process) }
        _ = try look(path)
        kill(try process(), SIGSTOP)
        #expect(throws: FileWorkerFailure.silent(seconds: 1)) {
            try worker.stamp(of: path, timeoutSeconds: 1)
        }
        #expect(try read(path)?.bytes == [1])
        kill(try process(), SIGKILL)
        #expect(throws: FileWorkerFailure.lost) { try look(path) }
        #expect(try look(path)?.bytes == 1)
    }

    @Test("one that cannot be started is an error")
    func missing() {
        let worker = FileWorker(program: "/nowhere", argument: "")
        #expect(throws: FileWorkerFailure.cannotStart(errno: ENOENT)) {
            try worker.stamp(of: "/", timeoutSeconds: 60)
        }
    }
}
