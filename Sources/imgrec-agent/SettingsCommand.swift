import ArgumentParser
import Settings

struct SettingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Show the settings in force, and where each comes from.",
        discussion: """
            What is printed is a settings file itself: all settings, with the line of the file that each comes from, or "default".

            Example: imgrec-agent settings --config shop.toml
            """)

    @OptionGroup var settings: SettingsOption

    @Flag(help: "Print as JSON.")
    var json = false

    @Flag(help: ArgumentHelp("Print the page about all settings.", visibility: .hidden))
    var markdown = false

    func run() throws {
        if markdown { return print(SettingsReference.markdown, terminator: "") }
        let report = SettingsReport(try settings.load(), file: settings.config)
        if json { try printJSON(report) } else { print(report.text, terminator: "") }
    }
}
