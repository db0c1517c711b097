import Foundation
import Products
import StrictTOML

/// What the agent knows of a model: its manifest, checked.
package struct ModelManifest: Hashable, Sendable {
    package let name: String
    /// The network's file, in the manifest's folder.
    package let file: String
    package let sha256: ContentDigest
    /// Of the second file of OpenVINO IR; nil where the manifest does not say.
    package let weightsSHA256: ContentDigest?
    package let licence: String
    package let source: String
    package let input: Input
    package let shape: PictureShape
    package let output: Output
    /// What the network has to give for the test card; nil where the manifest brings no values.
    package let golden: Golden?

    /// How many values an embedding has.
    package var dimension: Int { output.dimension }

    package struct Input: Hashable, Sendable {
        package let name: String
        /// Whether the three planes stand after each other, or the three levels of a pixel.
        package let layout: Layout
        /// Which byte of a pixel (red 0, green 1, blue 2) each plane is taken from.
        package let planes: [UInt8]
        /// Value = (level - mean) / scale, in the order of the planes.
        package let mean: [Float]
        package let scale: [Float]
    }

    package struct Output: Hashable, Sendable {
        package let name: String
        package let dimension: Int
        package let pooling: Pooling
    }

    /// Where the channels of a picture or feature map stand.
    package enum Layout: String, Hashable, Sendable, CaseIterable {
        /// Batch, channels, height, width: PyTorch's.
        case nchw
        /// Batch, height, width, channels: TensorFlow's.
        case nhwc
    }

    /// The first values of the embedding of the test card (`TestCard`), as the network's own framework gives them.
    package struct Golden: Hashable, Sendable {
        package let values: [Float]
        /// How far each may be off.
        package let tolerance: Double
    }

    package static let fileName = "manifest.toml"

    /// Reads a model folder's manifest.
    package init(folder: String) throws(ModelError) {
        let path = "\(folder)/\(Self.fileName)"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .noManifest(folder: folder)
        }
        try self.init(String(decoding: data, as: UTF8.self), file: path)
    }

    /// - Parameters:
    ///   - text: TOML.
    ///   - path: its name, for errors.
    package init(_ text: String, file path: String) throws(ModelError) {
        do throws(TOMLError) {
            try self.init(parsing: text, path)
        } catch {
            throw .badManifest(error)
        }
    }

    /// All that an embedding depends on besides the network's bytes: changed words about a model, or golden values, leave
    /// vectors as they are.
    var meaning: String {
        let fields: [String] = [
            name, input.name, input.layout.rawValue, "\(input.planes)", "\(input.mean)", "\(input.scale)",
            "\(shape.width) x \(shape.height)", output.name, "\(output.dimension)", "\(output.pooling)",
        ]
        return fields.joined(separator: "\n")
    }
}

// MARK: Reading

extension ModelManifest {
    // Longer than 60 lines: a key after another, each with what it has to be.
    private init(parsing text: String, _ path: String) throws(TOMLError) {
        let document = try TOMLDocument(text, file: path, schema: Self.schema)
        func wrong(_ key: String, expected: String, found: String) -> TOMLError {
            .wrongValue(file: path, line: nil, key: key, expected: expected, found: found)
        }
        func required<Value>(_ value: Value?, _ key: String) throws(TOMLError) -> Value {
            guard let value else { throw .missing(file: path, key: key) }
            return value
        }
        func string(_ table: String, _ name: String) throws(TOMLError) -> String {
            try required(document.string(table, name), "\(table).\(name)")
        }
        func integer(_ table: String, _ name: String) throws(TOMLError) -> Int {
            try required(document.integer(table, name), "\(table).\(name)")
        }
        func layout(_ table: String) -> Layout {
            document.string(table, "layout").flatMap(Layout.init(rawValue:)) ?? .nchw
        }

        name = try string("model", "name")
        file = try string("model", "file")
        guard !file.contains("/") else {
            throw wrong("model.file", expected: "a file beside the manifest", found: "\"\(file)\"")
        }
        licence = try string("model", "licence")
        source = try string("model", "source")
        func digest(_ key: String, _ text: String) throws(TOMLError) -> ContentDigest {
            guard let digest = ContentDigest(hexadecimal: text) else {
                throw wrong(key, expected: "64 hexadecimal digits", found: "the text \"\(text)\"")
            }
            return digest
        }
        sha256 = try digest("model.sha256", try string("model", "sha256"))
        let weights = document.string("model", "weights_sha256")
        weightsSHA256 = if let weights { try digest("model.weights_sha256", weights) } else { nil }

        let scale = document.numbers("input", "scale") ?? [1, 1, 1]
        guard scale.allSatisfy({ $0 != 0 }) else {
            throw wrong("input.scale", expected: "numbers other than 0", found: "0")
        }
        input = Input(
            name: try string("input", "name"), layout: layout("input"),
            planes: try string("input", "channels") == "bgr" ? [2, 1, 0] : [0, 1, 2],
            mean: (document.numbers("input", "mean") ?? [0, 0, 0]).map { Float($0) },
            scale: scale.map { Float($0) })

        let (width, height) = (try integer("input", "width"), try integer("input", "height"))
        let fit: PictureShape.Fit
        switch document.string("resize", "fit") {
        case "stretch": fit = .stretch
        case "pad": fit = .pad
        default:
            let shortSide = try integer("resize", "short_side")
            guard shortSide >= max(width, height) else {
                throw wrong(
                    "resize.short_side", expected: "at least the input's size, \(max(width, height))",
                    found: "\(shortSide)")
            }
            fit = .crop(shortSide: shortSide)
        }
        let filter = try string("resize", "filter")
        let trim =
            document.boolean("resize", "trim") == true
            ? PictureShape.Trim(
                tolerance: document.integer("resize", "trim_tolerance") ?? PictureShape.Trim.usual.tolerance,
                margin: document.number("resize", "trim_margin") ?? PictureShape.Trim.usual.margin) : nil
        shape = PictureShape(
            width: width, height: height, fit: fit, filter: PictureShape.Filter(rawValue: filter) ?? .bicubic,
            trim: trim)

        let dimension = try integer("output", "dimension")
        let pooling: Pooling =
            switch document.string("output", "pooling") {
            case "average": .average(layout("output"))
            case "max": .max(layout("output"))
            case "gem": .generalizedMean(layout("output"), p: document.number("output", "p") ?? 3)
            case "class_token": .classToken
            case "mean_tokens": .meanOfTokens(from: document.integer("output", "first_token") ?? 1)
            default: .none
            }
        output = Output(name: try string("output", "name"), dimension: dimension, pooling: pooling)

        golden = document.numbers("golden", "values").map {
            Golden(
                values: $0.map { Float($0) }, tolerance: document.number("golden", "tolerance") ?? 0.001)
        }
        if let golden, golden.values.count > dimension {
            throw wrong(
                "golden.values", expected: "at most output.dimension (\(dimension)) numbers",
                found: "\(golden.values.count)")
        }
    }

    private static let sides = 16...4096
    /// The most values that an embedding may have.
    static let dimensions = 1...65_536

    private static let schema: [TOMLKey] = [
        TOMLKey("model", "name", .string, isRequired: true),
        TOMLKey("model", "file", .string, isRequired: true),
        TOMLKey("model", "sha256", .string, isRequired: true),
        TOMLKey("model", "weights_sha256", .string),
        TOMLKey("model", "licence", .string, isRequired: true),
        TOMLKey("model", "source", .string, isRequired: true),
        TOMLKey("input", "name", .string, isRequired: true),
        TOMLKey("input", "width", .integer(sides), isRequired: true),
        TOMLKey("input", "height", .integer(sides), isRequired: true),
        TOMLKey("input", "layout", .choice(Layout.allCases.map(\.rawValue))),
        TOMLKey("input", "channels", .choice(["rgb", "bgr"]), isRequired: true),
        TOMLKey("input", "mean", .numbers(count: 3...3)),
        TOMLKey("input", "scale", .numbers(count: 3...3)),
        TOMLKey("resize", "fit", .choice(["crop", "pad", "stretch"]), isRequired: true),
        TOMLKey("resize", "short_side", .integer(sides)),
        TOMLKey("resize", "filter", .choice(PictureShape.Filter.allCases.map(\.rawValue)), isRequired: true),
        TOMLKey("resize", "trim", .boolean),
        TOMLKey("resize", "trim_tolerance", .integer(0...254)),
        TOMLKey("resize", "trim_margin", .number(0...1)),
        TOMLKey("output", "name", .string, isRequired: true),
        TOMLKey("output", "dimension", .integer(dimensions), isRequired: true),
        TOMLKey("output", "pooling", .choice(Pooling.names)),
        TOMLKey("output", "layout", .choice(Layout.allCases.map(\.rawValue))),
        TOMLKey("output", "p", .number(1...100)),
        TOMLKey("output", "first_token", .integer(0...4096)),
        TOMLKey("golden", "values", .numbers(count: 1...dimensions.upperBound)),
        TOMLKey("golden", "tolerance", .number(0...1)),
    ]
}
