import Products
import StrictTOML

extension Settings {
    /// The neural network.
    package struct Model: TOMLSection {
        @Key(
            "name", .text, redoes: .embeddings,
            "The neural network that looks at the photos; 'imgrec-agent models' lists those that there are. "
                + "A running agent goes on with the network that it had until all photos are embedded with the "
                + "new one.")
        package var name = "efficientnet-lite0"
        @Key(
            "precision", .choice, redoes: .embeddings,
            "\"f32\": the same files on every run. \"auto\": whatever is fastest on this CPU.")
        package var precision = Precision.f32
        /// Nil for the state folder's and the program's own.
        @Key(
            "folder", .pathOrNone,
            "Where the models are, each in a folder of its own name. Empty: the folder models in the state "
                + "folder, and the models that came with the program.")
        package var folder: String? = nil

        package init() {}
    }

    /// Several networks as one.
    package struct Embedding: TOMLSection {
        @Key(
            "models", .modelNames, redoes: .embeddings,
            "Several models that are used as one, their vectors one after another. This is slower, and often "
                + "better than any of them alone. Empty: model.name.")
        package var models: [String] = []
        @Key(
            "weights", .numbers(count: 0...64), redoes: .embeddings,
            "How much the vector of each model counts: with [1.0, 0.5] the first counts four times as much "
                + "as the second in a similarity. Empty: all count the same.")
        package var weights: [Double] = []

        package init() {}
    }

    /// What the settings change of how a model sees photos.
    package struct PictureOverride: TOMLSection {
        package enum Fit: String, CaseIterable, Sendable {
            case model, crop, pad, stretch
        }

        package enum Filter: String, CaseIterable, Sendable {
            case model, nearest, bilinear, bicubic, lanczos
        }

        package enum Trim: String, CaseIterable, Sendable {
            case model, on, off
        }

        @Key(
            "fit", .choice, redoes: .embeddings,
            "How a photo is fitted to the picture that the network takes. \"crop\": its middle; \"pad\": all "
                + "of it, with the colour of its border beside it; \"stretch\": all of it, out of "
                + "proportion; \"model\": the way the model was made for.")
        package var fit = Fit.model
        @Key(
            "short_side", .integer(0...4096), redoes: .embeddings,
            "For \"crop\": the length that the short side is scaled to before the middle is cut out, in "
                + "pixels. 0: as the model says.")
        package var shortSide = 0
        @Key(
            "filter", .choice, redoes: .embeddings,
            "How pixels are averaged when a photo is made smaller.")
        package var filter = Filter.model
        @Key(
            "trim", .choice, redoes: .embeddings,
            "\"on\": a uniform border, as in studio shots, is cut off first, so that products are compared "
                + "and not the white around them.")
        package var trim = Trim.model
        @Key(
            "trim_tolerance", .integer(0...254), redoes: .embeddings,
            "Where trim is on: how far a pixel may be from the border's colour and still count as border, in "
                + "levels of 255.")
        package var trimTolerance = PictureShape.Trim.usual.tolerance
        @Key(
            "trim_margin", .number(0...1), redoes: .embeddings,
            "Where trim is on: how much border is kept on each side, as a share of the longer side of the "
                + "product.")
        package var trimMargin = PictureShape.Trim.usual.margin
        @Key("background", .written, redoes: .embeddings, "The colour under transparent photos.")
        package var background = PictureShape.Colour.white

        package init() {}

        /// A model's shape with what is set put in its place.
        package func applied(to model: PictureShape) -> PictureShape {
            var shape = model
            let largest = max(model.width, model.height)
            // As large as the network's input, where the model itself does not crop.
            var modelShortSide = largest
            if case .crop(let side) = model.fit { modelShortSide = side }
            switch fit {
            case .crop:
                shape.fit = .crop(shortSide: max(largest, shortSide > 0 ? shortSide : modelShortSide))
            case .pad: shape.fit = .pad
            case .stretch: shape.fit = .stretch
            case .model:
                if case .crop = model.fit, shortSide > 0 {
                    shape.fit = .crop(shortSide: max(largest, shortSide))
                }
            }
            switch filter {
            case .model: break
            case .nearest: shape.filter = .nearest
            case .bilinear: shape.filter = .bilinear
            case .bicubic: shape.filter = .bicubic
            case .lanczos: shape.filter = .lanczos
            }
            switch trim {
            case .model: break
            case .on: shape.trim = PictureShape.Trim(tolerance: trimTolerance, margin: trimMargin)
            case .off: shape.trim = nil
            }
            shape.background = background
            return shape
        }
    }
}

extension PictureShape.Colour: TextValue {
    package static var expected: String { "a colour such as \"#ffffff\"" }

    package init(tomlText text: String) throws(ValueObjection) {
        guard let colour = Self(text) else { throw ValueObjection() }
        self = colour
    }
}

extension Settings.Model {
    static let expectedName = "the name of a model's folder"

    /// Whether a model's folder below one of models may be called so.
    static func isName(_ text: String) -> Bool {
        // By bytes: to Swift a slash with an accent is another character.
        !text.isEmpty && !text.utf8.contains(UInt8(ascii: "/")) && text.utf8.first != UInt8(ascii: ".")
    }
}

extension ValueForm where Value == [String] {
    fileprivate static var modelNames: Self {
        texts.checked(expected: "a list of names of models' folders") { names throws(ValueObjection) in
            if let wrong = names.first(where: { !Settings.Model.isName($0) }) {
                throw ValueObjection("\"\(wrong)\"")
            }
            return names
        }
    }
}
