import Foundation
import Testing

/// Every file that a test has the agent write is checked against the published schemas (Docs/reference/contract).
enum Contract {
    private static let python = "\(Repository.root)/.deps/test-environment/bin/python"
    private static let script = "\(Repository.root)/Tests/Reference/check_output.py"

    /// Checks the output folders that lie anywhere in a folder.
    static func check(outputsIn folder: String) {
        let outputs = indexes(in: folder).map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
        guard !outputs.isEmpty else { return }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [script] + outputs
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch {
            Issue.record("the contract could not be checked: run the tests with 'make test' (\(error))")
            return
        }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if process.terminationStatus != 0 { Issue.record("the contract could not be checked: \(text)") }
        for line in text.split(separator: "\n") { Issue.record("\(line)") }
    }

    private static func indexes(in folder: String) -> [String] {
        var found: [String] = []
        for case let name as String in FileManager.default.enumerator(atPath: folder) ?? .init()
        where name.hasSuffix("/index.json") || name == "index.json" {
            found.append("\(folder)/\(name)")
        }
        return found
    }
}
