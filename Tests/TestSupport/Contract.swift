import Foundation
import Testing

/// Every file that a test has the agent write is checked against the published schemas (Docs/contract).
enum Contract {
    private static let python = "\(Repository.root)/.deps/test-environment/bin/python"
    private static let script = "\(Repository.root)/Tests/Reference/check_output.py"

    /// Checks the output folders that lie in a folder, or in one of its folders, or in one of theirs.
    static func check(outputsIn folder: String) {
        let outputs = ([folder] + folders(in: folder)).filter {
            FileManager.default.fileExists(atPath: "\($0)/index.json")
        }
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

    private static func folders(in folder: String) -> [String] {
        func names(_ folder: String) -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map { "\(folder)/\($0)" }
        }
        return names(folder).flatMap { [$0] + names($0) }
    }
}
