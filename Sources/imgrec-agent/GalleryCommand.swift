import Agent
import ArgumentParser
import Settings

struct GalleryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gallery",
        abstract: "Write a page that shows each product with its recommendations.",
        discussion: """
            The page is one file that opens from disk in any browser; it shows the photos where they are.

            Example: imgrec-agent gallery --config shop.toml --output review.html
            """)

    @OptionGroup var settings: SettingsOption

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "The file to write (default: gallery.html in the state folder).", valueName: "file"))
    var output: String?

    func run() throws {
        let settings = try settings.load()
        let file = absolutePath(output ?? "\(settings.stateFolder)/\(GalleryWriter.fileName)")
        let count = try reportingErrors { () throws(AgentError) in
            try GalleryWriter.write(settings: settings, to: file)
        }
        print("Wrote \(file) with \(counted(count, "product")). Open it in a browser.")
    }
}
