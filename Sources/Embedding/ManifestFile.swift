import Products
import StrictTOML

/// A model's manifest as it is written.
struct ManifestFile: TOMLSection {
    @Table("model") var model: Model
    @Table("input") var input: Input
    @Table("resize") var resize: Resize
    @Table("output") var output: Output
    @Table("golden") var golden: Golden

    private static let sides = 16...4096
    /// The most values that an embedding may have.
    static let dimensions = 1...65_536

    struct Model: TOMLSection {
        @Key(required: "name", .text, example: "resnet50", "Published in every JSON file.")
        var name: String
        @Key(required: "file", .text, example: "resnet50.onnx", "The network, beside the manifest.")
        var file: String
        @Key(required: "sha256", .written, example: .example, "What the network's bytes must be.")
        var sha256: ContentDigest
        @Key(
            "weights_sha256", .optional(.written),
            "What the bytes of the second file must be, where weights have one.")
        var weightsSHA256: ContentDigest? = nil
        @Key(required: "licence", .text, example: "BSD-3-Clause", "For people.")
        var licence: String
        @Key(required: "source", .text, example: "https://example.org", "For people.")
        var source: String
    }

    struct Input: TOMLSection {
        enum Channels: String, CaseIterable {
            case rgb, bgr
        }

        @Key(required: "name", .text, example: "input", "The network's input.")
        var name: String
        @Key(required: "width", .integer(sides), example: 224, "Of the picture that it takes, in pixels.")
        var width: Int
        @Key(required: "height", .integer(sides), example: 224, "Of the picture that it takes, in pixels.")
        var height: Int
        @Key("layout", .choice, "PyTorch's (nchw) or TensorFlow's (nhwc).")
        var layout = ModelManifest.Layout.nchw
        @Key(required: "channels", .choice, example: .rgb, "The order of the three planes.")
        var channels: Channels
        @Key(
            "mean", .numbers(count: 3...3),
            "A plane's value is (level - mean) / scale, the level from 0 to 255.")
        var mean: [Double] = [0, 0, 0]
        @Key("scale", .numbers(count: 3...3), "See mean.")
        var scale: [Double] = [1, 1, 1]
    }

    struct Resize: TOMLSection {
        @Key(required: "fit", .choice, example: .crop, "How a photo comes to the input's shape.")
        var fit: ManifestDraft.Fit
        @Key(
            "short_side", .optional(.integer(sides)),
            "For crop: what the short side becomes before the centre is cut out, in pixels.")
        var shortSide: Int? = nil
        @Key(required: "filter", .choice, example: .bicubic, "How pixels are averaged.")
        var filter: PictureShape.Filter
        @Key("trim", .boolean, "Whether a uniform border is cut off first.")
        var trims = false
        @Key("trim_tolerance", .integer(0...254), "How far a level may be from the border's colour.")
        var trimTolerance = PictureShape.Trim.usual.tolerance
        @Key("trim_margin", .number(0...1), "How much border is kept, as a share of the longer side.")
        var trimMargin = PictureShape.Trim.usual.margin
    }

    struct Output: TOMLSection {
        @Key(required: "name", .text, example: "output", "Which output is used.")
        var name: String
        @Key(required: "dimension", .integer(dimensions), example: 2048, "How many values the embedding has.")
        var dimension: Int
        @Key("pooling", .choice, "How a vector is made of it.")
        var pooling = Pooling.Name.none
        @Key("layout", .choice, "Of a feature map.")
        var layout = ModelManifest.Layout.nchw
        @Key("p", .number(1...100), "For gem: the power.")
        var p = 3.0
        @Key("first_token", .integer(0...4096), "For mean_tokens: where the tokens of the picture begin.")
        var firstToken = 1
    }

    struct Golden: TOMLSection {
        @Key(
            "values", .numbers(count: 1...dimensions.upperBound),
            "The first values of the unit vector that the network's own framework gives for the test card.")
        var values: [Double] = []
        @Key("tolerance", .number(0...1), "How far each may be off.")
        var tolerance = 0.001
    }
}

extension ContentDigest: TextValue {
    package static var expected: String { "64 hexadecimal digits" }

    package init(tomlText text: String) throws(ValueObjection) {
        guard let digest = Self(hexadecimal: text) else { throw ValueObjection() }
        self = digest
    }

    /// Of no bytes at all.
    fileprivate static var example: Self { ContentDigest(of: "".utf8) }
}
