import ArgumentParser
import Foundation
import Products

/// Runs a body; an error becomes a sentence on standard error and an exit code.
func reportingErrors<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch { throw reported(error) }
}

/// Says an error on standard error, and gives back its exit code.
func reported(_ error: any Error) -> ExitCode {
    let explained = error.explained
    printError(explained.description)
    return ExitCode(explained.systemExit.rawValue)
}

func printError(_ message: String) {
    writeError("imgrec-agent: \(message)\n")
}

/// Writes to standard error; where that is closed there is nobody to tell.
func writeError(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
}
