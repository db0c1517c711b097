import Agent
import ArgumentParser
import Foundation
import Settings

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a commented settings file.",
        discussion: """
            Example: imgrec-agent init --images /srv/shop/photos --output /srv/shop/site/static/recommendations
            """)

    @Option(name: [.short, .long], help: ArgumentHelp("The file to write.", valueName: "file"))
    var config = Settings.defaultFile

    @Option(help: ArgumentHelp("The folder with the photos.", valueName: "folder"))
    var images: String?

    @Option(help: ArgumentHelp("The folder for the JSON files.", valueName: "folder"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "The folder for the catalogue (default: /var/lib/imgrec-agent).", valueName: "folder"))
    var state: String?

    @Flag(help: "Replace an existing file.")
    var force = false

    func run() throws {
        let url = URL(fileURLWithPath: config)
        guard force || !FileManager.default.fileExists(atPath: url.path) else {
            printError(
                "\(config) exists already. To replace it: imgrec-agent init --force --config \(config)")
            throw ExitCode(SystemExit.cannotCreate.rawValue)
        }
        // A folder given here is relative to where the user is, one in the file to where the file is.
        func absolute(_ path: String?) -> String? { path.map { absolutePath($0) } }
        let text = SettingsTemplate.text(
            images: absolute(images), output: absolute(output), state: absolute(state))
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url, options: .atomic)
        } catch {
            printError("\(config) cannot be written: \(error.localizedDescription)")
            throw ExitCode(SystemExit.cannotCreate.rawValue)
        }
        print("Wrote \(config).")
        if images == nil || output == nil {
            print("Now set images.folder and output.folder in it.")
        } else {
            print("Next: imgrec-agent reconcile --config \(config)")
        }
    }
}
