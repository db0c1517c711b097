import Catalogue
import Embedding
import Glibc
import Publishing
import Sandbox
import Settings
import Watching

/// The exit codes of sysexits.h that we use.
package enum SystemExit: Int32, Codable, Sendable {
    case dataError = 65
    case noInput = 66
    case unavailable = 69
    case software = 70
    case system = 71
    case cannotCreate = 73
    case inputOutput = 74
    case tryAgain = 75
    case noPermission = 77
    case settings = 78
}

extension AgentError {
    package var systemExit: SystemExit {
        switch self {
        case .settings(.noFile): .noInput
        case .settings: .settings
        case .folder(.missing): .noInput
        case .folder(.unreadable): .inputOutput
        case .catalogue(.cannotCreate): .cannotCreate
        case .catalogue(.damaged), .catalogue(.fromNewerVersion), .catalogue(.foreign),
            .catalogue(.notAFile):
            .dataError
        case .catalogue(.fromOlderVersion): .tryAgain
        case .catalogue(.notAllowed), .catalogue(.noLog): .noPermission
        case .catalogue: .inputOutput
        case .model(.notFound), .model(.noManifest), .model(.missingFile): .unavailable
        case .model(.badManifest), .model(.damaged), .model(.wrongInterface): .dataError
        case .model(.notAsItWas): .tryAgain
        case .model(.openVINO): .software
        case .publishing(.busy): .tryAgain
        // These mend themselves, or are mended without touching the settings.
        case .publishing(.cannotWrite(_, ENOSPC)), .publishing(.cannotWrite(_, EDQUOT)),
            .publishing(.cannotWrite(_, EIO)):
            .inputOutput
        case .publishing: .cannotCreate
        case .sandbox(.cannotContain): .settings
        case .sandbox(.cannotStart), .sandbox(.didNotBegin), .noPipe: .system
        case .busy, .nothingYet, .modelIncomplete, .changeFailed, .outputOfOthers: .tryAgain
        case .cannotLock, .cannotWrite: .cannotCreate
        case .notOwner: .noPermission
        case .unknownProduct, .noTable: .noInput
        case .unreadablePhoto, .badModel, .badTable, .nothingToEvaluate: .dataError
        case .outputLost, .tableNotReached: .inputOutput
        case .stopped: .tryAgain
        case .cannotServe: .cannotCreate
        case .remote(_, let exit): exit
        case .cannotConnect, .noAnswer: .unavailable
        }
    }
}
