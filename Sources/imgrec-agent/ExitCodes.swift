import Agent
import ArgumentParser
import Catalogue
import Embedding
import Foundation
import Publishing
import Settings
import Watching

/// The exit codes of sysexits.h that we use.
enum SystemExit: Int32 {
    case dataError = 65
    case noInput = 66
    case unavailable = 69
    case software = 70
    case cannotCreate = 73
    case inputOutput = 74
    case tryAgain = 75
    case settings = 78
}

extension AgentError {
    var systemExit: SystemExit {
        switch self {
        case .settings(.noFile): .noInput
        case .settings: .settings
        case .folder(.missing): .noInput
        case .folder(.unreadable): .inputOutput
        case .catalogue(.cannotCreate): .cannotCreate
        case .catalogue(.damaged), .catalogue(.fromNewerVersion): .dataError
        case .catalogue: .inputOutput
        case .model(.notFound), .model(.noManifest), .model(.missingFile): .unavailable
        case .model(.badManifest), .model(.damaged), .model(.wrongInterface): .dataError
        case .model(.openVINO): .software
        case .publishing(.busy): .tryAgain
        case .publishing: .cannotCreate
        case .busy, .nothingYet, .otherModel, .modelIncomplete, .outputOfOthers: .tryAgain
        case .cannotLock, .cannotWrite: .cannotCreate
        case .unknownProduct: .noInput
        case .unreadablePhoto: .dataError
        }
    }
}

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
