import ArgumentParser
import Foundation
import Imaging
import Insight
import Products

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a photo is, and what the network sees of it.",
        discussion: """
            Example: imgrec-agent inspect photos/dress/dress-001.jpg --png seen.png
            """)

    @Argument(help: "Any image file.")
    var photo: String

    @OptionGroup var settings: SettingsOption

    @Option(
        help: ArgumentHelp(
            "Write the picture that the network sees, the first of several.", valueName: "file"))
    var png: String?

    @Flag(help: "Print as JSON.")
    var json = false

    private struct Output: Encodable {
        let photo: String
        let description: PhotoDescription
        let seenAs: String
        let isOverridden: Bool
    }

    func run() throws {
        let settings = try settings.load()
        let inspection = try reportingErrors {
            try PhotoInspection(of: photo, settings: settings, executable: executablePath)
        }
        if let png {
            guard let bytes = inspection.views[0].picture.png else {
                printError("there is not enough memory to write \(png)")
                throw ExitCode(SystemExit.software.rawValue)
            }
            do { try Data(bytes).write(to: URL(fileURLWithPath: png), options: .atomic) } catch {
                printError("\(png) cannot be written: \(error.localizedDescription)")
                throw ExitCode(SystemExit.cannotCreate.rawValue)
            }
        }
        if json {
            try printJSON(
                Output(
                    photo: photo, description: inspection.description,
                    seenAs: inspection.views[0].shape.description,
                    isOverridden: inspection.views[0].isOverridden))
        } else {
            print(text(of: inspection))
        }
    }

    private func text(of inspection: PhotoInspection) -> String {
        let photo = inspection.description
        var lines: [String] = []
        func line(_ name: String, _ text: String) {
            lines.append(name.padding(toLength: 13, withPad: " ", startingAt: 0) + printable(text))
        }
        var format = photo.format
        if !photo.variety.isEmpty { format += ", \(photo.variety)" }
        if photo.frames > 1 { format += ", the first of \(photo.frames) frames" }
        line("format", format)
        line("size", "\(photo.width) x \(photo.height)\(photo.hasAlpha ? ", with transparency" : "")")
        line("profile", photo.profile ?? "none, which means sRGB")
        line("orientation", photo.orientation == 1 ? "upright" : "turned as EXIF's \(photo.orientation) says")
        if photo.eighths < 8 { line("decoded at", "\(photo.eighths)/8 of its size") }
        if let box = photo.trimmed {
            line("trimmed to", "\(box.width) x \(box.height) at \(box.left), \(box.top)")
        }
        for view in inspection.views {
            let model = inspection.views.count > 1 ? " by \(view.model)" : ""
            line("seen as", view.shape.description + (view.isOverridden ? " (by the settings)" : "") + model)
        }
        for note in photo.notes { line("note", note) }
        return lines.joined(separator: "\n")
    }
}
