import Agent
import ArgumentParser
import Logging
import Settings
import Systemd

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch the photos and keep the recommendations up to date, until stopped.",
        discussion: """
            This is what the service runs. SIGTERM ends it, SIGHUP has the settings read again.

            Example: imgrec-agent run --config shop.toml
            """)

    @OptionGroup var settings: SettingsOption

    func run() async throws {
        let settings = try settings.load()
        let level = Logger.Level(rawValue: settings.logLevel) ?? .info
        let log = Logger(label: "imgrec-agent") { _ in ServiceLog(level: level) }
        try await reportingErrorsAsync { () async throws(AgentError) in
            try await AgentService.run(
                settings: settings, settingsFile: self.settings.config, executable: executablePath,
                version: Version.text, log: log)
        }
    }
}
