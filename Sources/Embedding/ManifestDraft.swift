import Foundation
import Products
import StrictTOML

/// A manifest in the making: what a network's file says, what somebody says, and defaults for the rest.
package struct ManifestDraft: Sendable {
    /// How levels become values; each is (level - mean) / scale, in the order of the planes.
    package enum Normalisation: String, CaseIterable, Sendable {
        /// Mean and deviation of ImageNet's photos: torchvision, timm, DINOv2.
        case imagenet
        /// The same of CLIP's photos.
        case clip
        /// -1 to 1: TensorFlow's Inception and MobileNet, SigLIP.
        case symmetric
        /// 0 to 1.
        case unit
        /// Levels as they are.
        case none
        /// Blue, green, red, each less its mean: Keras' VGG and ResNet, Caffe.
        case caffe

        var meanAndScale: (mean: [Double], scale: [Double]) {
            switch self {
            case .imagenet: ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
            case .clip:
                (
                    [122.7709383, 116.7460125, 104.09373615], [68.5005327, 66.6321579, 70.32316305]
                )
            case .symmetric: ([127.5, 127.5, 127.5], [127.5, 127.5, 127.5])
            case .unit: ([0, 0, 0], [255, 255, 255])
            case .none: ([0, 0, 0], [1, 1, 1])
            case .caffe: ([103.939, 116.779, 123.68], [1, 1, 1])
            }
        }
    }

    /// How a photo comes to the input's shape; see `PictureShape.Fit`.
    package enum Fit: String, CaseIterable, Sendable {
        case crop, pad, stretch
    }

    /// Why no manifest can be written.
    package enum Failure: ExplainedError, Hashable {
        case noNetwork(folder: String)
        case manyNetworks(folder: String, names: [String])
        case notAnImageNetwork(file: String, reason: String, remedy: String? = nil)
        /// Something that the file does not say.
        case unknown(what: String, flag: String)
        case badName(String)

        package var explanation: Explanation {
            switch self {
            case .noNetwork(let folder):
                .init("there is no .onnx file and no .xml file of OpenVINO in \(folder)", .dataError)
            case .manyNetworks(let folder, let names):
                .init(
                    "there are several networks in \(folder): \(names.joined(separator: ", "))",
                    remedy: "Name one of these files.", .dataError)
            case .notAnImageNetwork(let file, let reason, let remedy):
                .init("\(file) cannot be used: \(reason)", remedy: remedy, .dataError)
            case .unknown(let what, let flag):
                .init("the file does not say \(what)", remedy: "Say it with \(flag).", .dataError)
            case .badName(let name):
                .init(
                    "\"\(name)\" cannot be the name of a model's folder",
                    remedy: "Give another name, as in --name my-model.", .dataError)
            }
        }
    }

    /// The network's file.
    package let file: String
    package private(set) var interface: NetworkInterface
    package var name: String
    package var licence: String?
    package var source: String?
    package var width: Int?
    package var height: Int?
    package var normalisation: Normalisation?
    package var fit = Fit.crop
    package var shortSide: Int?
    package var filter = PictureShape.Filter.bicubic
    package var output: String?
    package var pooling: Pooling.Name?
    package var power: Double?
    package var firstToken: Int?

    package let inputLayout: ModelManifest.Layout
    private let input: NetworkInterface.Port

    /// Reads a network's file, or the only one in a folder.
    ///
    /// - Throws: `Failure` or `ModelError`.
    package init(path: String) throws {
        let file = try Self.network(at: path)
        let interface = try NetworkInterface(file: file)
        func refuse(_ reason: String, remedy: String? = nil) -> Failure {
            .notAnImageNetwork(file: file, reason: reason, remedy: remedy)
        }
        let inputs = interface.inputs.map { "\($0.name) \($0.text)" }.joined(separator: "; ")
        guard interface.inputs.count == 1, let input = interface.inputs.first else {
            throw refuse(
                "it has \(interface.inputs.count) inputs (\(inputs)), and one picture is all it will get",
                remedy: "Export the image part alone.")
        }
        guard let dimensions = input.dimensions else {
            throw refuse(
                "its input \(input.name) has no fixed number of dimensions",
                remedy: "Export it with the shape [1, 3, height, width].")
        }
        guard dimensions.count == 4 else {
            throw refuse("its input \(inputs) is no picture, which has four dimensions")
        }
        if dimensions[1] == 3 {
            inputLayout = .nchw
        } else if dimensions[3] == 3 {
            inputLayout = .nhwc
        } else if dimensions[1] == nil {
            // Where all sizes are open, the order is that of nearly all exports.
            inputLayout = .nchw
        } else {
            throw refuse("its input \(inputs) has no three channels")
        }
        let sides = inputLayout == .nchw ? dimensions[2...3] : dimensions[1...2]
        (height, width) = (sides.first ?? nil, sides.last ?? nil)
        (self.file, self.interface, self.input) = (file, interface, input)
        let own = URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
        let isFolder = path != file
        name =
            isFolder || own == "model"
            ? URL(fileURLWithPath: file).deletingLastPathComponent().lastPathComponent : own
        output = interface.outputs.count == 1 ? interface.outputs[0].name : nil
    }

    /// Whether a model's folder may be called so: `+`, `*` and commas stand between models where several are named.
    package static func isName(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix(".") && !name.contains { "/+*,".contains($0) }
    }

    private static func network(at path: String) throws(Failure) -> String {
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        guard isFolder.boolValue else { return path }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter {
            $0.hasSuffix(".onnx") || $0.hasSuffix(".xml")
        }.sorted()
        guard let first = names.first else { throw .noNetwork(folder: path) }
        guard names.count == 1 else { throw .manyNetworks(folder: path, names: names) }
        return "\(path)/\(first)"
    }

    /// The outputs that may be an embedding, in words.
    package var outputChoices: [String] {
        interface.outputs.filter(\.isFloating).map { "\($0.name), \($0.text)" }
    }

    /// Asks the network what its outputs are once its input has the size of one picture.
    ///
    /// - Throws: `ModelError` where it cannot have that.
    package mutating func fixSize() throws(ModelError) {
        guard let width, let height else { return }
        let shape = inputLayout == .nchw ? [1, 3, height, width] : [1, height, width, 3]
        guard input.dimensions != shape else { return }
        interface = try NetworkInterface(file: file, shape: (input.name, shape))
    }

    /// The manifest as TOML.
    ///
    /// - Parameter digests: of the network's files.
    /// - Throws: `Failure.unknown` for what neither the file nor anybody has said.
    package func text(digests: [ContentDigest]) throws(Failure) -> String {
        guard Self.isName(name) else { throw .badName(name) }
        guard let width, let height else {
            throw .unknown(what: "the size of the picture that it takes", flag: "--size 224")
        }
        guard let normalisation else {
            let choices = Normalisation.allCases.map(\.rawValue).joined(separator: ", ")
            throw .unknown(
                what: "how levels from 0 to 255 become its values",
                flag: "--normalisation NAME, one of \(choices)")
        }
        guard let licence, !licence.isEmpty else {
            throw .unknown(what: "under which licence it may be used", flag: "--licence Apache-2.0")
        }
        guard let output, let port = interface.outputs.first(where: { $0.name == output }) else {
            throw .unknown(
                what: "which of its outputs is the embedding",
                flag: "--output NAME, one of: \(outputChoices.joined(separator: "; "))")
        }
        guard let dimensions = port.dimensions, dimensions.count > 1 else {
            throw .notAnImageNetwork(
                file: file, reason: "its output \(output), \(port.text), is no vector, map or tokens")
        }
        let pooling = pooling ?? Self.usualPooling[dimensions.count] ?? Pooling.Name.none
        let outputLayout: ModelManifest.Layout = inputLayout
        let isMap = dimensions.count == 4
        let channels = isMap && outputLayout == .nchw ? dimensions[1] : dimensions[dimensions.count - 1]
        guard let dimension = channels else {
            throw .notAnImageNetwork(
                file: file, reason: "its output \(output), \(port.text), has no fixed number of values")
        }
        let (mean, scale) = normalisation.meanAndScale
        var lines: [String?] = [
            "[model]", "name = \(TOMLText.quoted(name))",
            "file = \(TOMLText.quoted(URL(fileURLWithPath: file).lastPathComponent))",
            "sha256 = \"\(digests[0])\"", digests.count > 1 ? "weights_sha256 = \"\(digests[1])\"" : nil,
            "licence = \(TOMLText.quoted(licence))",
            "source = \(TOMLText.quoted(source ?? "unknown"))", "",
            "[input]", "name = \(TOMLText.quoted(input.name))", "width = \(width)", "height = \(height)",
            "layout = \"\(inputLayout.rawValue)\"",
            "channels = \"\(normalisation == .caffe ? "bgr" : "rgb")\"",
            "mean = \(TOMLValue.numbers(mean).literal)", "scale = \(TOMLValue.numbers(scale).literal)", "",
            "[resize]", "fit = \"\(fit.rawValue)\"",
        ]
        // As ImageNet's photos are usually cut: 256 for 224.
        if fit == .crop { lines.append("short_side = \(shortSide ?? max(width, height) * 256 / 224)") }
        lines += [
            "filter = \"\(filter.rawValue)\"", "",
            "[output]", "name = \(TOMLText.quoted(output))", "dimension = \(dimension)",
            "pooling = \"\(pooling.rawValue)\"",
        ]
        if isMap { lines.append("layout = \"\(outputLayout.rawValue)\"") }
        if let power { lines.append("p = \(power)") }
        if let firstToken { lines.append("first_token = \(firstToken)") }
        return lines.compactMap { $0 }.joined(separator: "\n") + "\n"
    }

    /// By the number of an output's dimensions.
    private static let usualPooling: [Int: Pooling.Name] = [2: .none, 3: .classToken, 4: .average]
}
