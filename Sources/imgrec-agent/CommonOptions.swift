import ArgumentParser
import Foundation
import Settings

/// What every command that reads settings has.
struct SettingsOption: ParsableArguments {
    @Option(name: [.short, .long], help: ArgumentHelp("The settings file.", valueName: "file"))
    var config = Settings.defaultFile

    /// The settings of the file, or a message and an exit code.
    func load() throws -> Settings {
        try reportingErrors { try Settings(file: config) }
    }
}

/// The path of this program, beside which models are looked for.
var executablePath: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
}

/// Prints a value as JSON.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Text from outside, safe for a terminal: control characters, which can hide or change what is shown, as `?`.
func printable(_ text: String) -> String {
    String(
        String.UnicodeScalarView(
            text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
}

func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
}
