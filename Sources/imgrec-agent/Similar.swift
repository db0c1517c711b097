import ArgumentParser
import Foundation
import Insight

struct Similar: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the products most similar to a product, or to any image file.",
        discussion: """
            Examples:
              imgrec-agent similar dress/dress-001
              imgrec-agent similar ~/Downloads/found.jpg --count 20
            """)

    @Argument(help: "A product, a photo in the image folder, or any image file.")
    var name: String

    @OptionGroup var settings: SettingsOption

    @Option(name: [.customShort("k"), .long], help: "How many (default: recommendations.count).")
    var count: Int?

    @Flag(help: "Print as JSON.")
    var json = false

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count must be 1 or more.") }
    }

    func run() throws {
        let settings = try settings.load()
        let answer = try reportingErrors {
            try SimilarSearch(settings: settings, executable: executablePath).nearest(to: name, count: count)
        }
        if json {
            try printJSON(answer)
            return
        }
        for match in answer.similar {
            print(String(format: "%.6f  ", match.score) + printable(match.product))
        }
        if answer.similar.isEmpty {
            print(
                answer.isProduct
                    ? "No other product, or none that is as similar as recommendations.min_score requires."
                    : "There is no product yet.")
        }
    }
}
