import Agent
import ArgumentParser
import Foundation

/// Runs a body; an error becomes a sentence on standard error and an exit code.
func reportingErrors<Value>(_ body: () throws(AgentError) -> Value) throws -> Value {
    do throws(AgentError) {
        return try body()
    } catch {
        printError(error.description)
        throw ExitCode(error.systemExit.rawValue)
    }
}

func printError(_ message: String) {
    writeError("imgrec-agent: \(message)\n")
}

/// Writes to standard error; where that is closed there is nobody to tell.
func writeError(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
}
