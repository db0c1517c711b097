import Foundation
import Products
import StrictTOML

/// What the agent knows of a model: its manifest, checked.
package struct ModelManifest: Hashable, Sendable {
    package let name: String
    /// The network's file, in the manifest's folder.
    package let file: String
    package let sha256: ContentDigest
    package let licence: String
    package let source: String
    package let input: Input
    package let shape: PictureShape
    package let outputName: String
    package let dimension: Int
    /// The digest of the manifest's own bytes.
    package let digest: ContentDigest

    package struct Input: Hashable, Sendable {
        package let name: String
        /// Which byte of a pixel (red 0, green 1, blue 2) each plane is taken from.
        package let planes: [UInt8]
        /// Value = (level - mean) / scale, in the order of the planes.
        package let mean: [Float]
        package let scale: [Float]
    }

    package static let fileName = "manifest.toml"

    /// Reads a model folder's manifest.
    package init(folder: String) throws(ModelError) {
        let path = "\(folder)/\(Self.fileName)"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .noManifest(folder: folder)
        }
        do throws(TOMLError) {
            try self.init(String(decoding: data, as: UTF8.self), path: path, digest: ContentDigest(of: data))
        } catch {
            throw .badManifest(error)
        }
    }

    private init(_ text: String, path: String, digest: ContentDigest) throws(TOMLError) {
        let document = try TOMLDocument(text, file: path, schema: Self.schema)
        func required(_ table: String, _ name: String) throws(TOMLError) -> String {
            guard let value = document.string(table, name) else {
                throw .missing(file: path, key: "\(table).\(name)")
            }
            return value
        }
        func required(_ table: String, _ name: String) throws(TOMLError) -> Int {
            guard let value = document.integer(table, name) else {
                throw .missing(file: path, key: "\(table).\(name)")
            }
            return value
        }
        self.digest = digest
        name = try required("model", "name")
        file = try required("model", "file")
        licence = try required("model", "licence")
        source = try required("model", "source")
        let hexadecimal: String = try required("model", "sha256")
        guard let sha256 = ContentDigest(hexadecimal: hexadecimal) else {
            throw .wrongValue(
                file: path, line: nil, key: "model.sha256", expected: "64 hexadecimal digits",
                found: "the text \"\(hexadecimal)\"")
        }
        self.sha256 = sha256

        let channels: String = try required("input", "channels")
        let scale = document.numbers("input", "scale") ?? [1, 1, 1]
        guard scale.allSatisfy({ $0 != 0 }) else {
            throw .wrongValue(
                file: path, line: nil, key: "input.scale", expected: "numbers other than 0", found: "0")
        }
        input = Input(
            name: try required("input", "name"),
            planes: channels == "bgr" ? [2, 1, 0] : [0, 1, 2],
            mean: (document.numbers("input", "mean") ?? [0, 0, 0]).map { Float($0) },
            scale: scale.map { Float($0) })

        let (width, height): (Int, Int) = (try required("input", "width"), try required("input", "height"))
        let fit: PictureShape.Fit
        switch document.string("resize", "fit") {
        case "stretch": fit = .stretch
        case "pad": fit = .pad
        default:
            let shortSide: Int = try required("resize", "short_side")
            guard shortSide >= max(width, height) else {
                throw .wrongValue(
                    file: path, line: nil, key: "resize.short_side",
                    expected: "at least the input's size, \(max(width, height))", found: "\(shortSide)")
            }
            fit = .crop(shortSide: shortSide)
        }
        let filter: String = try required("resize", "filter")
        let trim =
            document.boolean("resize", "trim") == true
            ? PictureShape.Trim(
                tolerance: document.integer("resize", "trim_tolerance") ?? PictureShape.Trim.usual.tolerance,
                margin: document.number("resize", "trim_margin") ?? PictureShape.Trim.usual.margin) : nil
        shape = PictureShape(
            width: width, height: height, fit: fit, filter: PictureShape.Filter(rawValue: filter) ?? .bicubic,
            trim: trim)
        outputName = try required("output", "name")
        dimension = try required("output", "dimension")
    }

    private static let sides = 16...4096

    private static let schema: [TOMLKey] = [
        TOMLKey("model", "name", .string, isRequired: true),
        TOMLKey("model", "file", .string, isRequired: true),
        TOMLKey("model", "sha256", .string, isRequired: true),
        TOMLKey("model", "licence", .string, isRequired: true),
        TOMLKey("model", "source", .string, isRequired: true),
        TOMLKey("input", "name", .string, isRequired: true),
        TOMLKey("input", "width", .integer(sides), isRequired: true),
        TOMLKey("input", "height", .integer(sides), isRequired: true),
        TOMLKey("input", "channels", .choice(["rgb", "bgr"]), isRequired: true),
        TOMLKey("input", "mean", .numbers(count: 3)),
        TOMLKey("input", "scale", .numbers(count: 3)),
        TOMLKey("resize", "fit", .choice(["crop", "pad", "stretch"]), isRequired: true),
        TOMLKey("resize", "short_side", .integer(sides)),
        TOMLKey("resize", "filter", .choice(PictureShape.Filter.allCases.map(\.rawValue)), isRequired: true),
        TOMLKey("resize", "trim", .boolean),
        TOMLKey("resize", "trim_tolerance", .integer(0...254)),
        TOMLKey("resize", "trim_margin", .number(0...1)),
        TOMLKey("output", "name", .string, isRequired: true),
        TOMLKey("output", "dimension", .integer(1...65_536), isRequired: true),
    ]
}
