import Files
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
    /// How long it may be.
    private static let mostBytes = 1 << 20

    /// Reads a model folder's manifest.
    package init(folder: String) throws(ModelError) {
        let path = "\(folder)/\(Self.fileName)"
        let (bytes, failure) = SystemFiles().contents(ofFile: path, limit: Self.mostBytes)
        if let failure {
            throw failure == ENOENT || failure == ENOTDIR
                ? .noManifest(folder: folder) : .unreadableManifest(file: path, errno: failure)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .unreadableManifest(file: path, errno: EILSEQ)
        }
        try self.init(text, file: path)
    }

    /// - Parameters:
    ///   - text: TOML.
    ///   - path: its name, for errors.
    package init(_ text: String, file path: String) throws(ModelError) {
        do throws(TOMLError) {
            try self.init(try ManifestFile(toml: text, file: path), path)
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
    /// - Parameter path: the file's name, for errors.
    private init(_ written: ManifestFile, _ path: String) throws(TOMLError) {
        func refuse(_ key: some TOMLKeyValue, expected: String, found: String) -> TOMLError {
            .wrongValue(
                file: path, line: key.place?.line, key: key.dotted, expected: expected, found: found)
        }
        let (model, resize) = (written.model, written.resize)
        (name, file, licence, source) = (model.name, model.file, model.licence, model.source)
        (sha256, weightsSHA256) = (model.sha256, model.weightsSHA256)
        guard !file.contains("/") else {
            throw refuse(model.$file, expected: "a file beside the manifest", found: "\"\(file)\"")
        }
        // Of levels from 0 to 255; beyond that a float has no room for what comes of them.
        if let wrong = written.input.mean.first(where: { abs($0) > 1e6 }) {
            throw refuse(
                written.input.$mean, expected: "numbers from -1000000 to 1000000", found: "\(wrong)")
        }
        if let wrong = written.input.scale.first(where: { !(1e-6...1e6).contains(abs($0)) }) {
            throw refuse(
                written.input.$scale, expected: "numbers from 0.000001 to 1000000, or the same below 0",
                found: "\(wrong)")
        }
        input = Input(written.input)
        let side = max(written.input.width, written.input.height)
        let fit: PictureShape.Fit
        switch resize.fit {
        case .stretch: fit = .stretch
        case .pad: fit = .pad
        case .crop:
            guard let shortSide = resize.shortSide else {
                throw .missing(file: path, line: nil, key: resize.$shortSide.dotted)
            }
            guard shortSide >= side else {
                throw refuse(
                    resize.$shortSide, expected: "at least the input's size, \(side)", found: "\(shortSide)")
            }
            fit = .crop(shortSide: shortSide)
        }
        shape = PictureShape(
            width: written.input.width, height: written.input.height, fit: fit, filter: resize.filter,
            trim: resize.trims
                ? PictureShape.Trim(tolerance: resize.trimTolerance, margin: resize.trimMargin) : nil)
        output = Output(written.output)
        golden = Golden(written.golden)
        if let golden, golden.values.count > dimension {
            throw refuse(
                written.golden.$values, expected: "at most output.dimension (\(dimension)) numbers",
                found: "\(golden.values.count)")
        }
    }
}

extension ModelManifest.Input {
    fileprivate init(_ written: ManifestFile.Input) {
        (name, layout) = (written.name, written.layout)
        planes = written.channels == .bgr ? [2, 1, 0] : [0, 1, 2]
        (mean, scale) = (written.mean.map { Float($0) }, written.scale.map { Float($0) })
    }
}

extension ModelManifest.Output {
    fileprivate init(_ written: ManifestFile.Output) {
        (name, dimension) = (written.name, written.dimension)
        pooling =
            switch written.pooling {
            case .none: .none
            case .average: .average(written.layout)
            case .max: .max(written.layout)
            case .gem: .generalizedMean(written.layout, p: written.p)
            case .classToken: .classToken
            case .meanTokens: .meanOfTokens(from: written.firstToken)
            }
    }
}

extension ModelManifest.Golden {
    fileprivate init?(_ written: ManifestFile.Golden) {
        guard !written.values.isEmpty else { return nil }
        (values, tolerance) = (written.values.map { Float($0) }, written.tolerance)
    }
}
