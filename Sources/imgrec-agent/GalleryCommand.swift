import ArgumentParser
import Insight
import Settings

struct GalleryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gallery",
        abstract: "Write the review page: each product with its recommendations, and what has changed.",
        discussion: """
            The page is a folder that opens from disk in any browser; it shows the photos where they are. It also has \
            what is new since it was written last, near-duplicates, products that no list names, and failed photos.

            Example: imgrec-agent gallery --config shop.toml --output review
            """)

    @OptionGroup var settings: SettingsOption

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "The folder to write (default: review in the state folder).", valueName: "folder"))
    var output: String?

    func run() throws {
        let settings = try settings.load()
        let folder = absolutePath(output ?? "\(settings.state.folder)/\(GalleryWriter.folderName)")
        let outcome = try reportingErrors {
            try GalleryWriter.write(settings: settings, to: folder)
        }
        let products = counted(outcome.products, "product")
        print(
            outcome.isNew
                ? "Wrote \(outcome.page) with \(products). Open it in a browser."
                : "\(outcome.page) is as it was, with \(products): nothing has changed.")
    }
}
