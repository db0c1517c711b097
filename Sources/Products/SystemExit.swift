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
