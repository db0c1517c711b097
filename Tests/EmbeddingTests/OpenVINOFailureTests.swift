import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Embedding

@Suite("What OpenVINO says of a failure")
struct OpenVINOFailureTests {
    private func reason(of file: String) -> String {
        do throws(ModelError) {
            _ = try NetworkInterface(file: file)
            return ""
        } catch {
            return error.description
        }
    }

    @Test("is of the call that failed, however many fail beside it")
    func own() throws {
        let folder = try TemporaryFolder()
        let lanes = 4
        let foreign = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: lanes) { lane in
            for number in 0..<250 {
                let file = "\(folder.path)/lane-\(lane)-number-\(number)-.onnx"
                // Its own file is named in what was being done; here it counts what OpenVINO says.
                let said = reason(of: file).replacing("reading \(file)", with: "")
                if !said.contains("/lane-\(lane)-number-\(number)-.onnx") {
                    foreign.withLock { $0.append(said) }
                }
            }
        }
        #expect(foreign.withLock { $0.count } == 0, "\(foreign.withLock { $0.first ?? "" })")
    }

    @Test("is given back to OpenVINO, which allocated it")
    func freed() async {
        // In a process of its own, in which nothing else allocates.
        await #expect(processExitsWith: .success) {
            // What it says names the file, so that texts that are kept are soon seen.
            let file =
                "/" + Array(repeating: String(repeating: "x", count: 250), count: 15).joined(separator: "/")
            func fail(_ times: Int) {
                for _ in 0..<times { _ = try? NetworkInterface(file: file) }
            }
            func residentBytes() throws -> Int {
                let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(
                    separator: " ")
                return try #require(Int(fields[1])) * sysconf(Int32(_SC_PAGESIZE))
            }
            fail(500)
            let before = try residentBytes()
            let count = 4000
            fail(count)
            #expect(try residentBytes() - before < count * file.utf8.count / 4)
        }
    }
}
